"""Marks and changes of texts: no character is lost, whatever overlaps."""

from __future__ import annotations

import pytest

from docmill.web.marking import changes, pieces, places


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], [("abcdef", "")]),
        ([(0, 2, "s"), (2, 4, "s")], [("ab", "s"), ("cd", "s"), ("ef", "")]),
        ([(1, 4, "s"), (2, 9, "e")], [("a", ""), ("b", "s"), ("cd", "e s"), ("ef", "e")]),
        ([(8, 9, "s"), (-3, 1, "s"), (3, 3, "s")], [("a", "s"), ("bcdef", "")]),
    ],
)
def test_spans_may_overlap_and_no_character_is_lost(
    spans: list[tuple[int, int, str]], expected: list[tuple[str, str]]
) -> None:
    assert pieces("abcdef", spans) == expected


def test_words_are_found_whole_and_morphemes_inside_of_words() -> None:
    body = "Raised rates. The raise: 금리를 인상했다. c++ (x"
    assert [body[a:b] for a, b, _ in places(body, ["raise", "인상", "(x", " "], "e")] == [
        "raise",
        "인상",
        "(x",
    ]
    assert places("anything", [], "e") == []


def test_changes_are_by_sentence() -> None:
    assert changes("One. Two. Three.", "One. Zwei. Three.") == [
        ("One.", ""), (" Two.", "del"), (" Zwei.", "ins"), (" Three.", ""),
    ]  # fmt: skip
    assert changes("같다.\n", "같다.\n") == [("같다.\n", "")]
    assert changes("", "new") == [("new", "ins")]
