"""The kind `extract` without a store: a file's texts and their keys, its figures, and who is to blame."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_tasks.errors import DocumentError, StorageError
from nlp_tasks.extraction import (
    ExtractionPageRow,
    ExtractionRow,
    ExtractionSectionRow,
    ExtractionTableLineRow,
    ExtractionTableRow,
    ExtractionWarningRow,
    ExtractParameters,
)
from nlp_tasks.extraction.runner import Extractor
from nlp_tasks.extraction.stored_file import StoredFile, digest_of
from nlp_tasks.kind import Document, NewText, Setup
from nlp_tasks.summarization import SummarizeParameters
from nlp_tasks.summarization.extractive.runner import Summarizer
from readers.extraction import Extraction, Figures, Limits
from readers.extraction.limits import Budget
from readers.extraction.writer import Writer
from tests.readers.extraction import builders


def _registered(path: Path) -> StoredFile:
    sha256, size = digest_of(path)
    return StoredFile(str(path), str(path.parent), size, sha256, "")


def _extract(
    path: Path,
    key: str = "k",
    beat: Callable[[], None] = lambda: None,
    file: StoredFile | None = None,
    **how: Any,
) -> Any:
    setup = Setup(ExtractParameters(**how), beat=beat)
    [found] = Extractor(setup).run([Document(1, key, (file or _registered(path)).as_text())])
    return found


def _texts(found: Any) -> dict[str, str]:
    assert not isinstance(found, DocumentError), found
    return {row.key: row.text for row in found if isinstance(row, NewText)}


def _zip(*members: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_have_keys_of_their_own_however_they_are_called(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    inner = _zip(("deep.txt", b"Deep inside."))
    long_name = "n" * 700 + ".txt"
    path.write_bytes(
        _zip(
            ("same.txt", b"The first."),
            ("same.txt", b"The second."),
            ("in.zip", inner),
            (long_name, b"A long name."),
            ("line\nfeed.txt", b"An odd name."),
        )
    )
    texts = _texts(_extract(path, "a.zip"))
    assert texts["a.zip!same.txt"], texts
    assert texts["a.zip!in.zip!deep.txt"] == "Deep inside."
    assert texts[r"a.zip!line\nfeed.txt"] == "An odd name."
    assert len(texts) == 5
    assert all(len(key) <= 512 for key in texts)


def test_an_archive_of_which_nothing_can_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(_zip(("a.pdf", builders.encrypted_pdf()), ("b.pdf", builders.encrypted_pdf())))
    found = _extract(path)
    assert found.code == "ENCRYPTED"
    assert found.detail.startswith("no text comes of any of its 2 documents; a.pdf: ")
    path.write_bytes(_zip())
    assert _extract(path).code in ("EMPTY", "CORRUPT")


def test_an_archive_without_compression_that_begins_with_a_pdf(tmp_path: Path) -> None:
    path = tmp_path / "a"
    page = builders.pdf(builders.pdf_text("A page."))
    for archive in (
        _zip(("p.pdf", page), ("t.txt", b"A text.")),
        builders.tarred({"p.pdf": page, "t.txt": b"A text."}),
    ):
        path.write_bytes(archive)
        assert _texts(_extract(path)) == {"k!p.pdf": "A page.", "k!t.txt": "A text."}


def test_tables_are_apart_or_inside(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(builders.docx("Before the table.", table=(("one", "two"), ("three", "four"))))
    apart = _extract(path)
    assert _texts(apart) == {"k": "Before the table."}
    [figures] = [row for row in apart if isinstance(row, ExtractionRow)]
    assert (figures.n_tables_left_out, figures.n_chars_left_out) == (1, len("onetwothreefour"))
    assert "one\ttwo" in _texts(_extract(path, tables="inside"))["k"]


def test_limits_are_the_parameters(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(builders.pdf(*[builders.pdf_text("A page.")] * 3))
    assert _extract(path, pages=2).code == "TOO_LARGE"
    assert not isinstance(_extract(path, pages=3), DocumentError)


def test_warnings_are_rows_and_words(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(_zip(("a.txt", b"Some text."), ("b.pdf", builders.encrypted_pdf())))
    found = _extract(path)
    [warned] = [row for row in found if isinstance(row, ExtractionWarningRow)]
    assert (warned.member, warned.code) == ("b.pdf", "ENCRYPTED")
    assert found[0].warnings == "b.pdf: ENCRYPTED"


class _StopError(Exception):
    pass


@pytest.mark.parametrize("n_members", [1, 3])
def test_a_stop_inside_a_parser_is_no_error_of_the_file(tmp_path: Path, n_members: int) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(
        _zip(*((f"{n}.pdf", builders.pdf(builders.pdf_text("A page."))) for n in range(n_members)))
    )
    n_beats = 0

    def beat() -> None:
        nonlocal n_beats
        n_beats += 1
        if n_beats > 2:
            raise _StopError

    with pytest.raises(_StopError):
        _extract(path, beat=beat)


def test_who_is_to_blame_for_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    folder.mkdir()
    path, other = folder / "a.txt", folder / "b.txt"
    path.write_text("A text.")
    other.write_text("Another.")
    file = _registered(path)
    path.write_text("A changed text.")
    assert _extract(path, file=file).code == "FILE_CHANGED"
    path.unlink()
    assert _extract(path, file=file).code == "FILE_MISSING"
    path.symlink_to(other)
    assert _extract(path, file=file).code == "FILE_UNREADABLE"
    path.unlink()
    other.unlink()
    with pytest.raises(StorageError, match="is not there, or empty: mount it"):
        _extract(path, file=file)


def test_a_document_that_describes_no_file() -> None:
    [found] = Extractor(Setup(ExtractParameters())).run(
        [Document(1, "k", "not JSON"), Document(2, "k", "{}")][:1]
    )
    assert isinstance(found, DocumentError)
    assert found.code == "NOT_A_FILE"


_TABLE = [["Year", "Sales of the year", "Note"], ["2024", "1,200", "a good year"], ["2025", "1,500", ""]]
_HEADING = "What the company sold in the year, and what it did not sell."


def _structured() -> bytes:
    """A heading, a paragraph, a table, another heading, a paragraph, a table at the end."""
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in _TABLE)
    table = f"<table>{rows}</table>"
    return (
        f"<!doctype html><html><body><h1>{_HEADING}</h1><p>First.</p>{table}<h2>한국어 제목</h2><p>Second.</p>{table}"
    ).encode()


def _of(found: Any, row: type) -> list[Any]:
    return [each for each in found if type(each) is row]


@pytest.mark.parametrize("tables", ["apart", "inside"])
def test_the_structure_is_rows_with_offsets_in_the_text_that_is_stored(tmp_path: Path, tables: str) -> None:
    path = tmp_path / "a.html"
    path.write_bytes(_structured())
    found = _extract(path, tables=tables)
    [made] = _of(found, NewText)
    titles = [
        (each.level, made.text[each.start_char :].split("\n")[0]) for each in _of(found, ExtractionSectionRow)
    ]
    assert titles == [(1, _HEADING), (2, "한국어 제목")]
    kept = [(each.rank, each.in_text, each.n_rows, each.n_columns) for each in _of(found, ExtractionTableRow)]
    inside = tables == "inside"
    assert kept == [(1, inside, 3, 3), (2, inside, 3, 3)]
    lines = [json.loads(each.cells) for each in _of(found, ExtractionTableLineRow)]
    assert lines == ([] if inside else _TABLE * 2)
    for each in _of(found, ExtractionTableRow):
        after = made.text[each.start_char :]
        expected = "Year\tSales" if inside else {1: "한국어 제목", 2: ""}[each.rank]
        assert after.startswith(expected), after
    no_prose = [made.text[start:end] for start, end in made.not_prose]
    assert [words.split("\n")[0] for words in no_prose] == (
        [_HEADING, "Year\tSales of the year\tNote", "Year\tSales of the year\tNote"] if inside
        else [_HEADING, "한국어 제목"]
    )  # fmt: skip
    [figures] = _of(found, ExtractionRow)
    assert (figures.n_chars, figures.n_tables_left_out) == (len(made.text), 0 if inside else 2)


def test_pages_have_figures_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(
        builders.pdf(
            builders.pdf_text("Only letters here"), builders.pdf_text(""), builders.pdf_text("12 34 56")
        )
    )
    found = _extract(path)
    [made] = _of(found, NewText)
    pages = _of(found, ExtractionPageRow)
    assert [(each.page, each.n_chars, each.share_non_letters) for each in pages] == [
        (1, 17, 0.0), (2, 0, 0.0), (3, 8, 1.0),
    ]  # fmt: skip
    assert [made.text[each.start_char :][: each.n_chars] for each in pages] == [
        "Only letters here",
        "",
        "12 34 56",
    ]
    path.write_bytes(builders.pptx(("One", "Text one."), ("Two", "Text two."), table=_TABLE))
    for tables in ("apart", "inside"):
        found = _extract(path, tables=tables)
        assert [each.n_tables for each in _of(found, ExtractionPageRow)] == [0, 1]
        assert [each.page for each in _of(found, ExtractionTableRow)] == [2]


@given(
    st.lists(st.sampled_from(["p", "h", "table", "page", "empty table"]), max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_offsets_move_with_the_tables(parts: list[str]) -> None:
    """However they are mixed, and where the text begins or ends with one."""
    out = Writer(Budget(Limits()))
    for number, part in enumerate(parts):
        if part == "p":
            out.paragraph(f"Paragraph {number}")
        elif part == "h":
            out.paragraph(f"Heading {number}", 1)
        elif part == "page":
            out.page()
        else:
            out.rows([[f"a{number}", "b"], ["c", "d"]] if part == "table" else [])
    text, structure = out.finish()
    figures = Figures("text/plain", "", 0, len(text), 0, (), 0.0, 0, 0, 0)
    apart = Extraction(text, None, None, structure, figures)
    whole = apart.with_tables()
    assert whole.text == apart.whole()
    for section in whole.parts.sections:
        assert whole.text[section.start_char :].startswith(section.title)
    for table in whole.parts.tables:
        assert whole.text[table.start_char :].startswith(table.as_text())
    covered = {line for start, end in whole.not_prose() for line in whole.text[start:end].split("\n")}
    assert covered == {line for line in whole.text.split("\n") if line and not line.startswith("Paragraph")}


def test_a_summary_has_no_headings_and_no_rows_of_tables() -> None:
    """Even those that look like sentences; if there is nothing else, they are all there is."""
    rows = "The table says that sales rose.\tIt also says more.\nThe table says that costs fell."
    text = f"{_HEADING}\nSales rose in the year.\n{rows}\nCosts fell in the year."
    spans = [(0, len(_HEADING)), (text.index(rows), text.index(rows) + len(rows))]
    setup = Setup(SummarizeParameters(sentences=5))
    for not_prose, wanted in (
        (tuple(spans), "Sales rose in the year. Costs fell in the year."),
        (((0, len(text)),), "costs fell"),
    ):
        [found] = Summarizer(setup).run([Document(1, "a", text, not_prose=not_prose)])
        assert wanted in found[0].summary
        assert (_HEADING in found[0].summary) is (len(not_prose) == 1)
