"""A parser that crashes, hangs or leaks harms its own document, not its neighbours and not this process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from readers.extraction import Extraction, ExtractionError, Limits, extract
from readers.extraction.isolated import Parser
from tests.readers.extraction import builders

#: Stands where the real library does, and does in C what a faulty version of it might.
_HOSTILE = """
import ctypes, os, signal
from pathlib import Path
C = ctypes.PyDLL(None)
C.malloc.restype = ctypes.c_void_p
class PdfiumError(RuntimeError): pass
class PYPDFIUM_INFO: version = "of the test"
def PdfDocument(where):
    data = where if isinstance(where, bytes) else Path(where).read_bytes()
    if b"crash" in data: os.kill(os.getpid(), signal.SIGSEGV)
    if b"hang" in data: C.sleep(20)
    if b"killed" in data: os.kill(os.getpid(), signal.SIGKILL)
    if b"leak" in data:
        while True:
            block = C.malloc(1 << 20)
            if not block: os.abort()
            C.memset(ctypes.c_void_p(block), 1, 1 << 20)
            C.usleep(500)
    if b"grow" in data: HOARD.append(b"x" * (300 << 20))
    if b"hoard" in data:
        while True: HOARD.append(bytearray(1 << 20))
    if b"once" in data and not (flag := Path(os.environ["ONCE"])).exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    raise PdfiumError("no PDF")
HOARD = []
"""


@pytest.fixture
def parser() -> Iterator[Parser]:
    made = Parser()
    yield made
    made.close()


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    (folder / "pypdfium2.py").write_text(_HOSTILE)
    monkeypatch.syspath_prepend(str(folder))


def _error(parser: Parser, data: bytes, limits: Limits | None = None) -> ExtractionError:
    with pytest.raises(ExtractionError) as raised:
        parser.extract(data, limits)
    return raised.value


def _codes(found: Extraction) -> dict[str, str]:
    return {each.name: each.error.code if each.error else "ok" for each in found.members}


def _pdf(what: str) -> bytes:
    return f"%PDF-1.7 {what}".encode()


def test_it_finds_what_extract_finds(parser: Parser, tmp_path: Path) -> None:
    page = builders.pdf(builders.pdf_text("A line."), builders.pdf_text("Another."))
    inner = builders.zipped({"a.pdf": page, "b.pdf": b"%PDF-1.7 cut"})
    table = builders.docx(builders.KOREAN)
    path = tmp_path / "odd \udcff name.zip"
    path.write_bytes(
        builders.zipped({"in.zip": inner, "c.docx": table, "d.hwpx": builders.hwpx(builders.KOREAN)})
    )
    ours, theirs = extract(path), parser.extract(path)
    for (name, one), (other_name, other) in zip(ours.documents(), theirs.documents(), strict=True):
        assert (name, one.text, one.parts, one.title, one.language, one.warnings) == (
            other_name, other.text, other.parts, other.title, other.language, other.warnings
        )  # fmt: skip
    assert _codes(ours) == _codes(theirs)
    assert _error(parser, b"").code == "EMPTY"
    with pytest.raises(FileNotFoundError):
        parser.extract(tmp_path / "none.pdf")


@pytest.mark.usefixtures("hostile")
def test_what_kills_its_process_is_blamed_alone(
    parser: Parser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = b"<html><body><p>Good text.</p></body></html>"
    assert _error(parser, _pdf("crash")).code == "POISON"
    assert "SIGSEGV" in _error(parser, _pdf("crash")).detail
    assert parser.extract(good).text == "Good text."
    assert _error(parser, _pdf("killed")).code == "MEMORY"
    started = time.monotonic()
    assert _error(parser, _pdf("hang"), Limits(seconds=0.5)).code == "TIMEOUT"
    assert time.monotonic() - started < 30
    monkeypatch.setenv("ONCE", str(tmp_path / "once"))
    assert _error(parser, _pdf("once")).code == "CORRUPT", (
        "somebody killed the process once: no fault of the file"
    )
    assert parser.extract(good).text == "Good text."


@pytest.mark.usefixtures("hostile")
def test_a_lack_of_memory_is_the_files_alone() -> None:
    parser = Parser(memory=150 * 2**20)
    before = psutil.Process().memory_info().rss
    for what in ("leak", "hoard"):
        assert _error(parser, _pdf(what)).code == "MEMORY"
    assert parser.extract(b"Good text.").text == "Good text."
    assert psutil.Process().memory_info().rss - before < 50 * 2**20
    parser.close()


@pytest.mark.usefixtures("hostile")
def test_neighbours_in_an_archive_are_read_whatever_one_of_them_does(parser: Parser) -> None:
    inner = builders.zipped({"crash.pdf": _pdf("crash"), "beside.txt": b"Beside it."})
    found = parser.extract(
        builders.zipped(
            {
                "first.txt": b"The first.",
                "crash.pdf": _pdf("crash"),
                "inner.zip": inner,
                "hang.pdf": _pdf("hang"),
                "killed.pdf": _pdf("killed"),
                "last.txt": b"The last.",
            }
        ),
        Limits(seconds=3),
    )
    assert _codes(found) == {
        "first.txt": "ok", "crash.pdf": "POISON", "inner.zip": "ok", "hang.pdf": "TIMEOUT", "killed.pdf": "MEMORY",
        "last.txt": "ok",
    }  # fmt: skip
    assert [text.text for _, text in found.documents()] == ["The first.", "Beside it.", "The last."]


@pytest.mark.usefixtures("hostile")
def test_an_archive_of_killers_is_given_up(parser: Parser) -> None:
    many = builders.zipped({f"{n}.pdf": _pdf("crash") for n in range(30)})
    assert _error(parser, many).code == "POISON"


def test_a_beat_that_raises_ends_the_parser(parser: Parser) -> None:
    class StopError(Exception):
        pass

    def beat() -> None:
        raise StopError

    with pytest.raises(StopError):
        parser.extract(b"Some text.", beat=beat)
    assert not [child for child in psutil.Process().children() if "python" in child.name()]
    assert parser.extract(b"Some text.").text == "Some text."


def test_the_parser_dies_with_its_parent(tmp_path: Path) -> None:
    """Even while it hangs: nothing is left behind when a worker is killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        parser = Parser()
        parser.extract(b"Some text.")
        assert parser._child is not None
        os.kill(parser._child._process.pid, signal.SIGSTOP)
        os.write(writer, str(parser._child._process.pid).encode())
        signal.pause()
        os._exit(1)
    grandchild = psutil.Process(int(os.read(reader, 20)))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    grandchild.wait(timeout=10)
    for fd in (reader, writer):
        os.close(fd)


@pytest.mark.usefixtures("hostile")
def test_a_process_that_grew_is_replaced(parser: Parser) -> None:
    """What a file leaves behind is not taken from the next one."""
    for what, is_kept in (("small", True), ("grow", False)):
        parser.extract(b"Some text.")
        before = parser._child
        assert _error(parser, _pdf(what)).code == "CORRUPT"
        assert (parser._child is before) is is_kept


def test_a_large_page_with_navigation_is_read_in_time(parser: Parser) -> None:
    """trafilatura's comparison with another library took minutes for it, without a way to stop it."""
    line = "<p>Some sentence with several words in it, as they are.</p>"
    for n in (16_000, 60_000):
        page = f"<html><body><nav>Home</nav>{line * n}</body></html>"
        assert parser.extract(page.encode(), Limits(seconds=20)).text.count("Some sentence") == n
