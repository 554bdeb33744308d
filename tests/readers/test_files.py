"""Files and folders: what is not a plain file inside the folder is reported, never followed, never waited for."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from readers import Record, read
from readers.files import DocumentFile, find
from readers.records import RefusedError
from readers.streams import opened

READABLE = (
    ".txt, .jsonl, .ndjson, .json, .csv, .tsv, .conll, .bio, .iob, .iob2, each also with .gz; "
    ".parquet, .arrow, .feather"
)


def test_reading_needs_nothing_but_the_standard_library():
    code = "import sys, readers; print(*{name.partition('.')[0] for name in sys.modules})"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True)
    assert not {"torch", "gensim", "numpy", "sqlalchemy", "celery", "pandas"} & set(done.stdout.split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "good.txt").write_text("좋은 문서")
    return folder


def test_a_folder_is_walked_in_the_order_of_names(reading, folder):
    (folder / "b").mkdir()
    (folder / "b" / "2.txt").write_text("둘")
    (folder / "a.jsonl").write_text('{"id": "x", "text": "y"}')
    (folder / ".hidden.txt").write_text("숨은 파일")
    (folder / ".git").mkdir()
    (folder / ".git" / "no.txt").write_text("x")
    outcome = reading("docs")
    assert (outcome.keys, outcome.reports) == (["x", "b/2.txt", "good.txt"], [])
    assert [record.source for record in outcome.records] == [
        "docs/a.jsonl:1",
        "docs/b/2.txt",
        "docs/good.txt",
    ]


def test_other_types_in_a_folder_are_counted(reading, folder):
    for name in ("a.pdf", "b.PDF", "README", "c.xml"):
        (folder / name).write_bytes(b"x")
    outcome = reading("docs")
    assert outcome.keys == ["good.txt"]
    assert outcome.reports == [
        f"docs: UNSUPPORTED_TYPE: 2 files ending in .pdf were skipped; docmill reads {READABLE}",
        f"docs: UNSUPPORTED_TYPE: 1 file ending in .xml was skipped; docmill reads {READABLE}",
        f"docs: UNSUPPORTED_TYPE: 1 file without an ending was skipped; docmill reads {READABLE}",
    ]


def test_another_type_given_by_name_is_refused(reading):
    bomb = b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d SYSTEM "file:///etc/passwd">]><a>&d;</a>'
    assert reading("a.xml", bomb).reports == [f"a.xml: UNSUPPORTED_TYPE: its name does not end in {READABLE}"]


@pytest.mark.parametrize(
    ("path", "report"),
    [
        ("absent.txt", "absent.txt: NOT_FOUND: there is no such file"),
        (
            "https://example.org/a.txt",
            "URL_NOT_FETCHED: it is a URL, not a path: give URLs as text, not as a Path",
        ),
        ("/dev/zero", "/dev/zero: NOT_A_FILE: it is a device, not a regular file"),
        ("a\0b.txt", r"a\x00b.txt: UNREADABLE: it cannot be read: "),
        ("n" * 300 + ".txt", "UNREADABLE: it cannot be read: File name too long"),
    ],
)
def test_what_cannot_be_opened_is_reported(reading, path, report):
    (seen,) = reading(path).reports
    assert report in seen


def test_fifos_and_sockets_are_reported_and_not_waited_for(reading, folder):
    os.mkfifo(folder / "a.txt")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(folder / "s.txt"))
        outcome = reading("docs")
    assert outcome.keys == ["good.txt"]
    assert outcome.reports == [
        "docs/a.txt: NOT_A_FILE: it is a FIFO, not a regular file",
        "docs/s.txt: NOT_A_FILE: it is a socket, not a regular file",
    ]
    assert reading("docs/a.txt").reports == ["docs/a.txt: NOT_A_FILE: it is a FIFO, not a regular file"]


def test_links_out_of_the_folder_are_not_followed(reading, folder, tmp_path):
    (tmp_path / "docs-secret.txt").write_text("비밀")
    (tmp_path / "out").mkdir()
    (folder / "link.txt").symlink_to("../docs-secret.txt")
    (folder / "out").symlink_to(tmp_path / "out")
    (folder / "inner.txt").symlink_to("good.txt")
    (folder / "loop").symlink_to(".")
    (folder / "nowhere.txt").symlink_to("absent")
    (folder / "self.txt").symlink_to("self.txt")
    (folder / "zero.txt").symlink_to("/dev/zero")
    outcome = reading("docs")
    leaves = "LINK_LEAVES_FOLDER: it is a link to a place outside the folder: add the target itself"
    assert outcome.texts == {"good.txt": "좋은 문서", "inner.txt": "좋은 문서"}
    assert outcome.reports == [
        f"docs/link.txt: {leaves}",
        "docs/nowhere.txt: NOT_FOUND: there is no such file",
        f"docs/out: {leaves}",
        "docs/self.txt: UNREADABLE: it cannot be read: Too many levels of symbolic links",
        f"docs/zero.txt: {leaves}",
    ]


def test_a_link_given_by_name_is_followed(reading, folder):
    (folder.parent / "link.txt").symlink_to("docs/good.txt")
    assert reading("link.txt").keys == ["link.txt"]


def test_file_names_are_escaped_in_reports_and_refused_as_keys(reading, folder):
    (folder / "a\nb.txt").write_text("x")
    (folder / "\x1b[31m.jsonl").write_text('{"id": "k", "text": "x"}\n')
    Path(os.fsdecode(os.fsencode(folder) + b"/\xc7\xd1.txt")).write_text("x")
    (folder / "--help.txt").write_text("x")
    outcome = reading("docs")
    assert outcome.keys == ["k", "--help.txt", "good.txt"]
    assert outcome.records[0].source == r"docs/\x1b[31m.jsonl:1"
    assert outcome.reports == [
        r"docs/a\nb.txt: KEY_CONTROL: the key contains the control character U+000A (key a\nb.txt)",
        r"docs/\udcc7\udcd1.txt: LONE_SURROGATE: character 1 of the key is U+DCC7, half of a surrogate pair, "
        r"which is not a character (key \udcc7\udcd1.txt)",
    ]


def test_two_files_of_one_name_from_two_places_are_reported(reading, folder, tmp_path):
    (tmp_path / "good.txt").write_text("다른 문서")
    found = list(read([Path("docs"), Path("good.txt"), Path("docs/good.txt")]))
    assert [item.key for item in found if isinstance(item, Record)] == ["good.txt"]
    assert [str(item) for item in found[1:]] == [
        "good.txt: DUPLICATE_KEY: an earlier document has the same key: only the first one is used (key good.txt)",
        "docs/good.txt: DUPLICATE_KEY: an earlier document has the same key: only the first one is used "
        "(key good.txt)",
    ]


def test_an_unreadable_file_and_folder_cost_only_themselves(folder, monkeypatch):
    (folder / "a.txt").write_text("x")
    (folder / "b").mkdir()
    for place in (folder / "a.txt", folder / "b"):
        place.chmod(0)
    monkeypatch.chdir(folder)
    for parent in folder.parents[:4]:
        parent.chmod(0o755)
    if os.geteuid() == 0:  # who may read everything
        os.seteuid(65534)
    try:
        found = [item if isinstance(item, Record) else str(item) for item in read([Path()])]
    finally:
        os.seteuid(os.getuid())
        (folder / "b").chmod(0o700)
    assert found[:2] == [
        "./a.txt: UNREADABLE: it cannot be read: Permission denied",
        "./b: UNREADABLE: it cannot be read: Permission denied",
    ]
    assert [item.key for item in found[2:] if isinstance(item, Record)] == ["good.txt"]


def test_an_empty_and_a_blank_file_are_reported(reading):
    for data in (b"", b" \n\r\n", b"\xef\xbb\xbf"):
        assert reading("a.txt", data).reports == ["a.txt: EMPTY_TEXT: the text is empty or blank (key a.txt)"]


def test_line_ends_of_text_files_become_line_feeds(reading):
    assert reading("a.txt", b"a\r\nb\rc\n").texts == {"a.txt": "a\nb\rc\n"}


def test_a_file_that_changes_while_read_is_reported(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"id": {n}, "text": "{"x" * 100}"}}\n' for n in range(50_000)))
    found = read([path])
    first = next(found)
    with path.open("a") as file:
        file.write('{"id": "late", "text": "x"}\n')
    rest = list(found)
    assert isinstance(first, Record)
    assert len(rest) == 50_000  # as many as there were when it was opened, and one report
    assert str(rest[-1]).endswith(
        "a.jsonl: CHANGED_WHILE_READ: the file changed while it was read: add it again"
    )


def test_a_file_deleted_after_it_was_found_is_reported(tmp_path):
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text("x")
    found = read([tmp_path])
    next(found)
    (tmp_path / "b.txt").unlink()
    missing, last = found
    assert str(missing).endswith("b.txt: NOT_FOUND: there is no such file")
    assert isinstance(last, Record)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv.gz", "a.txt.gz"])
def test_packed_files_are_read(reading, name):
    data = {"a.jsonl.gz": b'{"id": "k", "text": "x"}\n', "a.csv.gz": b"id,text\nk,x\n"}.get(name, b"x")
    # two members, as from `cat a.gz b.gz`
    outcome = reading(name, gzip.compress(data[:5]) + gzip.compress(data[5:]))
    assert list(outcome.texts.values()) == ["x"]


def test_a_truncated_packed_file_gives_what_it_holds(reading):
    rows = "".join(f'{{"id": {n}, "text": "{os.urandom(50).hex()}"}}\n' for n in range(5000))
    outcome = reading("a.jsonl.gz", gzip.compress(rows.encode())[:-1000])
    assert len(outcome.records) > 4000
    assert outcome.reports == [
        "a.jsonl.gz: BAD_GZIP: it cannot be unpacked to its end (Compressed file ended before the end-of-stream "
        "marker was reached): the rest was not read"
    ]


@pytest.mark.parametrize(
    ("name", "data", "report"),
    [
        (
            "a.jsonl",
            gzip.compress(b"x", mtime=0),
            "WRONG_FORMAT: it contains gzip, not what its name says: unpack or convert it",
        ),
        ("a.txt", b"PK\x03\x04x", "WRONG_FORMAT: it contains zip, not what its name says: unpack or convert it"),
        ("a.txt", b"%PDF-1.7", "WRONG_FORMAT: it contains PDF, not what its name says: unpack or convert it"),
        ("a.txt.gz", b"plain", "BAD_GZIP: it cannot be unpacked to its end (Not a gzipped file (b'pl')): "
                               "the rest was not read"),
    ],
)  # fmt: skip
def test_what_is_not_what_its_name_says_is_reported(reading, name, data, report):
    assert reading(name, data).reports == [f"{name}: {report}"]


def test_a_file_swapped_for_a_fifo_or_a_link_after_it_was_found_is_neither_waited_for_nor_followed(folder):
    (folder / "a.txt").write_text("x")
    fifo, link, *_ = list(find(folder))
    assert isinstance(fifo, DocumentFile)
    assert isinstance(link, DocumentFile)
    fifo.path.unlink()
    os.mkfifo(fifo.path)
    link.path.unlink()
    link.path.symlink_to("/etc/hostname")
    with pytest.raises(RefusedError, match="NOT_A_FILE"), opened(fifo, "utf-8"):
        pass
    with pytest.raises(OSError, match="symbolic links"), opened(link, "utf-8"):
        pass
