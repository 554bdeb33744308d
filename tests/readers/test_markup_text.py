"""Which texts are markup, and what becomes of them. What only looks like markup stays as it is."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from readers import BadRecord, ReadOptions, Record, read
from readers.markup_notices import MarkupNotices
from readers.markup_text import is_markup, prose
from readers.records import Notice

_FOUND = (folder / "shared" / "data" for folder in Path(__file__).parents)
DATA = Path(os.environ.get("DOCMILL_SHARED_DATA") or next(filter(Path.is_dir, _FOUND), "none"))

MARKUP = {
    "A fine film.<br /><br />The end is weak.": "A fine film.\n\nThe end is weak.",
    "한 줄이다.<br>두 번째 줄이다.": "한 줄이다.\n\n두 번째 줄이다.",
    "<p>One &amp; two.</p><p>Three.</p>": "One & two.\n\nThree.",
    "<div class='x'><h1>Title</h1>\n<p>Wrapped\nlines.</p></div>": "Title\n\nWrapped lines.",
    "See <a href='https://example.com/?a=1&amp;b=2'>the report</a>.": "See the report.",
    "<!DOCTYPE html><html><head><style>p {x: y}</style></head><body>Text</body></html>": "Text",
    "<?xml version='1.0'?><doc><title>제목</title><body>본문</body></doc>": "제목\n\n본문",
    "<DOCUMENT>\n<TYPE>8-K\n<SEQUENCE>1\n<TEXT>\n<HTML><BODY><DIV style='x'>Item 9.01</DIV></BODY></HTML>\n"
    "</TEXT>\n</DOCUMENT>": "Item 9.01",
    "The <b>bank</b> said <i>no</i>.": "The bank said no.",
}  # fmt: skip

PROSE = [
    "a < b && c > d",
    "I <3 you; x<y>z",
    "From: Kim <kim@example.com>\nTo: <lee@example.com>, <https://example.com/a>",
    "R&D &amp; AT&T",
    "Use the <br> tag, or the <b> tag, to format.",
    'Write "<p>" and "</p>" around a paragraph.',
    "The tags (<b>) and (</b>) make text bold.",
    "`<div>x</div>` is a block.\n```\n<p>code</p>\n```",
    "HTML에서 <br> 태그를 쓰면 줄이 바뀐다.",
    "template <typename T> class A { vector<T> a; };\nMap<String, List<B>> m = new HashMap<>();\n",
    "const row = (x) => {\n  return <div className='a'>{x}</div>;\n};\nexport default row;\n",
    "def page():\n    html = '<p>' + text + '</p>'\n    return html + '<br>' + footer()\nprint(page())\n",
    '#include <stdio.h>\nint main() {\n  printf("<b>%d</b><br>", 1);\n  return 0;\n}\n',
    "<앵커> 안녕하십니까.\n<개정 2014.1.28>\n삭제 <2026.1.30>",
    "[표 1] <단위: 원> 100 < 200",
    "Long prose with a single stray </font> tag in it. " * 100,
    "",
]


@pytest.mark.parametrize("text", MARKUP)
def test_markup_becomes_what_a_reader_sees(text: str) -> None:
    assert is_markup(text)
    assert prose(text) == MARKUP[text]


@pytest.mark.parametrize("text", PROSE)
def test_prose_and_code_are_no_markup(text: str) -> None:
    assert not is_markup(text)


def test_lines_and_blanks_of_a_note_with_a_tag_stay() -> None:
    table = "Name     <b>Price</b>\nTea       2.50\nCoffee    3.00\nMilk      1.20\nSalt      0.40\n"

    assert prose(table) == table.replace("<b>", "").replace("</b>", "").strip("\n")


def as_records(
    folder: Path, options: ReadOptions | None = None
) -> tuple[dict[str, Record], list[BadRecord], list[Notice]]:
    found = list(read([folder], options))
    notices: list[Notice] = []
    looking = MarkupNotices(notices.append)
    records = {each.key: each for each in found if isinstance(each, Record)}
    for each in records.values():
        looking.look(each)
    return records, [each for each in found if isinstance(each, BadRecord)], notices


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_text(
        "".join(
            json.dumps({"id": f"j{n}", "text": "One.<br>Two." if n else "1 < 2"}) + "\n" for n in range(4)
        )
    )
    (tmp_path / "b.csv").write_text("id,text\nc1,<p>One.</p>\nc2,<script>x</script><p></p>\n")
    (tmp_path / "c.txt").write_text("<html><body>Page</body></html>")
    return tmp_path


def test_it_is_said_once_for_each_file(folder: Path) -> None:
    records, bad, notices = as_records(folder)

    assert {key: each.text for key, each in records.items()} == {
        "j0": "1 < 2", "j1": "One.\n\nTwo.", "j2": "One.\n\nTwo.", "j3": "One.\n\nTwo.", "c1": "One.", "c.txt": "Page",
    }  # fmt: skip
    assert [each.source for each in notices] == [
        f"{folder}/a.jsonl:2",
        f"{folder}/b.csv:2",
        f"{folder}/c.txt",
    ]
    assert [(each.code, each.line) for each in bad] == [("EMPTY_TEXT", 3)]


def test_a_user_overrules_it(folder: Path) -> None:
    as_text, bad, _ = as_records(folder, ReadOptions(markup="text"))
    assert as_text["j1"].text == "One.<br>Two."
    assert not bad
    (folder / "d.txt").write_text("Use the <br> tag.</p>")
    as_html, _, _ = as_records(folder, ReadOptions(markup="html"))
    assert as_html["d.txt"].text == "Use the \n\n tag."
    with pytest.raises(ValueError, match="as text, html or auto"):
        ReadOptions(markup="pdf")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "piece", ["<", "<b>", "<p ", "<!--", "<?xml ?>", "x = '<b>'\n", "<b></b>", "<document> "]
)
def test_the_time_is_linear(piece: str) -> None:
    started = time.process_time()
    is_markup(piece * 200_000)
    is_markup(" " * 1_000_000 + piece)

    assert time.process_time() - started < 5


# --- real texts -----------------------------------------------------------------------------------------------

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared data")


@needs_data
def test_real_8k_pages_named_txt_are_prose(tmp_path: Path) -> None:
    pages = sorted((DATA / "files_real").glob("*8K*.htm"))
    assert pages
    for page in pages:
        (tmp_path / f"{page.stem}.txt").write_bytes(page.read_bytes())

    records, bad, notices = as_records(tmp_path)

    assert not bad
    assert len(notices) == len(records) == len(pages)
    for record in records.values():
        assert "<" not in record.text
        assert "SECURITIES AND EXCHANGE COMMISSION" in record.text.upper()
        assert record.text.count("style=") == 0


@needs_data
def test_hardly_any_text_of_real_corpora_is_taken_for_markup() -> None:
    """Each of the few was looked at: it holds tags that are used. Every fifth text is enough for a test."""
    n_texts = n_markup = 0
    for text in islice(_real_texts(), 0, None, 5):
        n_texts += 1
        n_markup += is_markup(text)

    assert n_texts > 100_000
    assert n_markup <= n_texts / 50_000


def _real_texts() -> Iterator[str]:
    for file in sorted(DATA.rglob("*.jsonl*")):
        with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
            for line in lines:
                yield from (value for value in json.loads(line).values() if isinstance(value, str))
