"""The kind `extract` without a store: a file's texts and their keys, its figures, and who is to blame."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlp_tasks.errors import DocumentError, StorageError
from nlp_tasks.extraction import ExtractionRow, ExtractionWarningRow, ExtractParameters
from nlp_tasks.extraction.runner import Extractor
from nlp_tasks.extraction.stored_file import StoredFile, digest_of
from nlp_tasks.kind import Document, NewText, Setup
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
