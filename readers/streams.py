"""From an open file to a buffered stream of bytes: its size is fixed at opening, gzip is unpacked, UTF-16 is converted
to UTF-8, and carriage returns as line ends to line feeds.

Knows nothing of lines and records. Each layer is an `io.RawIOBase` with bounded memory.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import stat
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from readers import encodings
from readers.files import DocumentFile
from readers.options import MIB
from readers.records import RefusedError
from readers.watch import Watch

_BUFFER_BYTES = 256 * 1024
_HEAD_BYTES = 16 * 1024

#: Text compresses to a tenth, a log to a hundredth. A file above this ratio and size is a decompression bomb.
_MAX_RATIO = 200
_BOMB_BYTES = 64 * MIB

_UTF16_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_OTHER_FORMATS = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"%PDF": "PDF",
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow",
    b"\xff\xfe\0\0": "UTF-32 text",
}


@dataclass(frozen=True)
class Stream:
    """The bytes of a file after its byte order mark, and their encoding (never UTF-16 or ISO-2022)."""

    buffer: io.BufferedReader
    encoding: str
    #: The detected encoding of the file, if it is worth a notice; None for UTF-8 and for a requested encoding.
    found: str | None = None
    #: Most of the file is in this encoding, so that anything else is an error. False if it is a guess or was requested.
    sure: bool = False
    #: Lines ended with a carriage return alone.
    had_cr: bool = False

    def head(self) -> bytes:
        """The first bytes, without consuming them."""
        return self.buffer.peek(1)[:_HEAD_BYTES]

    def as_utf8(self) -> io.BufferedReader:
        """The bytes in UTF-8; bytes that cannot be decoded become bytes that are not UTF-8."""
        return self.buffer if self.encoding == "utf-8" else _as_utf8(self.buffer, self.encoding)


@contextmanager
def opened(file: DocumentFile, encoding: str | None, watch: Watch | None = None) -> Iterator[Stream]:
    """Open a regular file, limited to its current size. If no encoding is given, it is detected. `watch` is told.

    Raises RefusedError CHANGED_WHILE_READ on exit if the file was changed: what was read may be half old, half new.
    """
    # No links and no blocking: the file may have been replaced by a link or a FIFO since it was found.
    fd = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with io.FileIO(fd, "rb") as raw:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise RefusedError("NOT_A_FILE", "it is not a regular file")
        if watch is not None:
            watch.opened(raw, before.st_size)

        def from_start() -> io.BufferedReader:
            raw.seek(0)
            capped = _Capped(raw, before.st_size)
            return io.BufferedReader(_Unpacked(capped) if file.is_gzip else capped, _BUFFER_BYTES)

        yield _one_line_end(_decoded(from_start, encoding))
        after = os.fstat(fd)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise RefusedError("CHANGED_WHILE_READ", "the file changed while it was read: add it again")


def of_bytes(data: bytes, encoding: str | None) -> Stream:
    """The same of bytes in memory."""
    return _one_line_end(_decoded(lambda: io.BufferedReader(_InMemory(data), _BUFFER_BYTES), encoding))


def _decoded(from_start: Callable[[], io.BufferedReader], asked: str | None) -> Stream:
    stream = from_start()
    head = stream.peek(_HEAD_BYTES)[:_HEAD_BYTES]
    for magic, name in _OTHER_FORMATS.items():
        if head.startswith(magic):
            raise RefusedError(
                "WRONG_FORMAT", f"it contains {name}, not what its name says: unpack or convert it"
            )
    if head.startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
        return Stream(stream, "utf-8", sure=True)
    if head[:2] in _UTF16_MARKS:
        stream.read(2)
        return Stream(_as_utf8(stream, _UTF16_MARKS[head[:2]]), "utf-8", found="utf-16", sure=True)
    if asked is None:
        name, sure = encodings.find(stream)
        return replace(_in_lines(from_start(), name), found=None if name == "utf-8" else name, sure=sure)
    if not asked.startswith("utf-16") and (guess := encodings.utf16_without_mark(head)):
        detail = f"it looks like {guess.upper()}, not {asked.upper()}: leave --encoding out"
        raise RefusedError("INVALID_ENCODING", detail)
    return _in_lines(stream, asked)


def _in_lines(stream: io.BufferedReader, encoding: str) -> Stream:
    """The stream, converted to UTF-8 if lines cannot be split in its own encoding."""
    if encoding.startswith(("utf-16", "iso2022")):
        return Stream(_as_utf8(stream, "utf-16-le" if encoding == "utf-16" else encoding), "utf-8")
    return Stream(stream, encoding)


def _one_line_end(stream: Stream) -> Stream:
    """Old Macintosh files, and "CSV (Macintosh)" of Excel, have carriage returns as line ends."""
    head = stream.head()
    if b"\r" not in head or b"\n" in head:
        return stream
    return replace(stream, buffer=io.BufferedReader(_CrAsLf(stream.buffer), _BUFFER_BYTES), had_cr=True)


def _as_utf8(stream: io.BufferedReader, encoding: str) -> io.BufferedReader:
    return io.BufferedReader(_AsUtf8(stream, encoding), _BUFFER_BYTES)


class _InMemory(io.RawIOBase):
    """Bytes as a file."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._data.readinto(buffer)


class _Capped(io.RawIOBase):
    """A file limited to its size at opening, so that a growing file has an end."""

    def __init__(self, raw: io.FileIO, n_bytes: int) -> None:
        self._raw, self._left, self.n_read = raw, n_bytes, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        n_bytes = self._raw.readinto(buffer[: self._left])
        self._left -= n_bytes
        self.n_read += n_bytes
        return n_bytes


class _Layer(io.RawIOBase):
    """A stream made from another one; `some` produces the bytes."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.some(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    @abstractmethod
    def some(self, n_bytes: int) -> bytes:
        """At most `n` bytes; empty at the end."""


class _Unpacked(_Layer):
    """The content of a gzip file."""

    def __init__(self, packed: _Capped) -> None:
        self._packed, self._n_bytes = packed, 0
        self._gzip = gzip.GzipFile(fileobj=io.BufferedReader(packed), mode="rb")

    def some(self, n_bytes: int) -> bytes:
        try:
            data = self._gzip.read1(n_bytes)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            reason = f"it cannot be unpacked to its end ({error}): the rest was not read"
            raise RefusedError("BAD_GZIP", reason) from None
        self._n_bytes += len(data)
        if self._n_bytes > max(_BOMB_BYTES, _MAX_RATIO * self._packed.n_read):
            detail = (
                f"it unpacks to more than {_MAX_RATIO} times its size: unpack it yourself if you trust it"
            )
            raise RefusedError("GZIP_BOMB", detail)
        return data


def _as_surrogate(error: UnicodeError) -> tuple[str, int]:
    """A lone surrogate, which is not UTF-8, for bytes that cannot be decoded: the line is refused, not the file."""
    assert isinstance(error, UnicodeDecodeError)
    return "\udcff", error.end


codecs.register_error("docmill-surrogate", _as_surrogate)


class _AsUtf8(_Layer):
    """Another encoding as UTF-8. Incomplete characters and lone surrogates become bytes that are not UTF-8."""

    def __init__(self, stream: io.BufferedReader, encoding: str) -> None:
        self._stream = stream
        errors = "surrogatepass" if encoding.startswith("utf-16") else "docmill-surrogate"
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._ready, self._at_end = b"", False

    def some(self, n_bytes: int) -> bytes:
        while not self._ready and not self._at_end:
            data = self._stream.read(64 * 1024)
            self._at_end = not data
            self._ready = self._decoder.decode(data).encode("utf-8", "surrogatepass")
            if self._at_end and self._decoder.getstate()[0]:
                self._ready += b"\xff"
        part, self._ready = self._ready[:n_bytes], self._ready[n_bytes:]
        return part


class _CrAsLf(_Layer):
    """Carriage returns as line feeds. A carriage return with a line feed is still one line end."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._after_cr = False

    def some(self, n_bytes: int) -> bytes:
        while data := self._stream.read1(n_bytes):
            ends_in_cr = data.endswith(b"\r")
            if self._after_cr:
                data = data.removeprefix(b"\n")
            self._after_cr = ends_in_cr
            if data:
                return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return b""
