"""Markup in texts: what a reader sees of it, where it stands, and what only looks like it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.markup import Plain, looks_like_markup, plain


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("One ended.<br>Two began.<br/>Three.<BR />Four.", ["One ended.", "Two began.", "Three.", "Four."]),
        ("<p>첫째 문단이다.</p><p>둘째 문단이다.</p>", ["첫째 문단이다.", "둘째 문단이다."]),
        ("<ul><li>Tea</li><li>Milk</li></ul>", ["Tea", "Milk"]),
        ("<td class='a'>Left</td><td>Right</td>", ["Left", "Right"]),
        ("The <b>new</b> <i>bri</i>dge is <a href='x?a>b'>open</a>.", ["The new bridge is open."]),
        ('A<sup>2</sup> is <span style="color:red">red</span>', ["A2 is red"]),
        ("R&amp;D&nbsp;costs &lt;10% &#8212; &#xAC00;&eacute;", ["R&D costs <10% — 가é"]),
        ("Twice escaped: &amp;amp; &amp;#39; &amp;lt;", ["Twice escaped: & ' <"]),
        ("Before<script type='x'>var a = '<p>no</p>';</script> after</p>", ["Before after"]),
        ("<style>p { color: red }</style><div>Shown</div>", ["Shown"]),
        ("Kept <!-- not <b>this</b> --> here", ["Kept here"]),
        ("<!DOCTYPE html><html><body>Page\nwrapped\nhere.</body></html>", ["Page wrapped here."]),
        ("<?xml version='1.0'?><REPORT><TE>값</TE><ix:num>3</ix:num></REPORT>", ["값", "3"]),
        ("An end of a <script> that never closes.</p>", ["An end of a that never closes."]),
    ],
)
def test_tags_are_breaks_or_nothing_and_entities_are_characters(text: str, seen: list[str]) -> None:
    lines = [" ".join(line.split()) for line in plain(text).split("\n")]

    assert [line for line in lines if line] == seen


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "I <3 you, and 1<2>0",
        "if a <b and c> d",
        "R&D, AT&T; Q&A and tom&jerry;",
        "vector<int> v; Map<String, List<B>> m; x = &sum; if (a<b && c>d) y();",
        "#include <stdio.h>",
        "Write `<br>` or `&nbsp;` to break a line.",
        "```\n<p>code &amp; more</p>\n```",
        "Use the <div> tag.",
        "<앵커> 안녕하십니까. <그림 1> 참조",
        "http://example.com/?a=1&copy=2&lt=3",
    ],
)
def test_what_is_no_markup_stays(text: str) -> None:
    assert plain(text) == text
    assert not looks_like_markup(text)


def test_only_tags_look_like_markup() -> None:
    assert looks_like_markup("One.<br>Two.")
    assert looks_like_markup('<font size="2">x')
    assert looks_like_markup("an end</p>")
    assert not looks_like_markup("Salt &amp; pepper")


def test_line_ends_of_a_note_with_a_tag_stay() -> None:
    note = "\n".join(["Milk", "Bread", "Eggs", "Butter", "Tea", "Salt<br>", "Oil"])

    assert plain(note).split() == ["Milk", "Bread", "Eggs", "Butter", "Tea", "Salt", "Oil"]
    assert "Milk\nBread" in plain(note)


def test_every_character_seen_has_its_place_in_the_stored_text() -> None:
    text = "<p>The <b>har</b>bour &amp; the bridge</p><script>x</script><p>다리&nbsp;공사</p>"
    seen = Plain(text)

    start = seen.text.index("harbour & the")
    assert text[slice(*seen.origin(start, start + len("harbour & the")))] == "har</b>bour &amp; the"
    start = seen.text.index("다리 공사")
    assert text[slice(*seen.origin(start, start + 5))] == "다리&nbsp;공사"


@given(st.text(alphabet="ab <>/&;p\"'=!-\n`가", max_size=60) | st.lists(st.sampled_from(
    ["<p>", "</p>", "<br>", "<b>", "&amp;", "&nbsp;", "<!--", "-->", "<script>", "</script>", "a", " ", "`"]
)).map("".join))  # fmt: skip
def test_places_are_in_order_and_inside_whatever_the_text(text: str) -> None:
    seen = Plain(text)

    places = [seen.origin(at, at + 1) for at in range(len(seen.text))]
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert places == sorted(places)
    copied = [(char, text[start:end]) for char, (start, end) in zip(seen.text, places, strict=True)]
    assert all(char == source or source[0] in "<&\n" for char, source in copied)


@pytest.mark.parametrize(
    "unit", ["<", "<a ", '<a "', "<!--", "<script>", "&amp;", "&", "```", "`", "<p>", "</b "]
)
def test_time_is_linear_whatever_the_text(unit: str) -> None:
    def seconds(n: int) -> float:
        text = unit * (n // len(unit))
        start = time.process_time()
        plain(text)
        return time.process_time() - start

    assert seconds(400_000) < 24 * min(seconds(50_000) for _ in range(3)) + 0.05
