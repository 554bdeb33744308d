"""One compressed file (.gz, .bz2, .xz): a TAR or WARC archive is read in a stream, any other document as itself."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from readers.extraction.context import Context
from readers.extraction.formats import tar, warc
from readers.extraction.limits import Budget, too_large
from readers.extraction.records import ExtractionError
from readers.extraction.source import Source
from readers.extraction.writer import Writer

_BLOCK_BYTES = 64 * 1024
#: What an .xz file may ask for.
_XZ_MEMORY = 128 * 1024 * 1024
_SUFFIXES = (".gz", ".bz2", ".xz", ".tgz")


def read(source: Source, out: Writer, context: Context) -> None:
    """The document inside stands for the file. Of a cut file what came before the cut is lost: it is CORRUPT."""
    with source.open() as stream:
        unpacked = Unpacked(stream, context.media_type, source.size, context.budget)
        head = unpacked.peek(512)
        if head[257:262] == b"ustar":
            out.media_type = "application/x-tar"
            tar.read_stream(unpacked, out, context)
            return
        if head.startswith(b"WARC/"):
            out.media_type = "application/warc"
            warc.read_stream(unpacked, out, context)
            return
        data = unpacked.read_all(context.budget.limits.member_bytes)
    name = next((source.name[: -len(end)] for end in _SUFFIXES if source.name.endswith(end)), source.name)
    out.members.append(context.archived(Source(data, name)))
    out.passes_through = True


class Unpacked:
    """A stream of what a compressed one holds, within the budget. CORRUPT where it is damaged or cut."""

    def __init__(self, stream: BinaryIO, media_type: str, n_packed: int, budget: Budget) -> None:
        self._blocks = _unpacked(stream, media_type)
        self._budget = budget
        self._n_packed = n_packed
        self._n_out = 0
        self._waiting = bytearray()
        self._at = 0

    def peek(self, n_bytes: int) -> bytes:
        """The next bytes, which stay to be read."""
        self._fill(n_bytes)
        return bytes(self._waiting[self._at : self._at + n_bytes])

    def read(self, n_bytes: int = -1) -> bytes:
        """Up to this many bytes; fewer at the end."""
        if n_bytes < 0:
            return self.read_all(self._budget.limits.member_bytes)
        self._fill(n_bytes)
        data = bytes(self._waiting[self._at : self._at + n_bytes])
        self._at += len(data)
        if self._at > 16 * _BLOCK_BYTES:
            del self._waiting[: self._at]
            self._at = 0
        return data

    def read_all(self, limit: int) -> bytes:
        """All of it, or TOO_LARGE."""
        self._fill(limit + 1)
        if len(self._waiting) - self._at > limit:
            raise too_large("bytes in one part", limit)
        return self.read(limit)

    def _fill(self, n_bytes: int) -> None:
        while len(self._waiting) - self._at < n_bytes and (block := next(self._blocks, b"")):
            self._n_out += len(block)
            self._budget.decompressed(len(block))
            self._budget.ratio(self._n_out, self._n_packed)
            self._waiting += block


def _unpacked(stream: BinaryIO, media_type: str) -> Iterator[bytes]:
    """Blocks of bounded size; a file can hold several compressed streams one after another."""
    unpacker, packed, n_streams = _decompressor(media_type), b"", 0
    fed = False
    try:
        while True:
            if not packed and getattr(unpacker, "needs_input", True):
                packed = stream.read(_BLOCK_BYTES)
                if not packed:
                    break
            block, packed = _step(unpacker, packed, media_type)
            fed = True
            if block:
                yield block
            if unpacker.eof:
                packed = (unpacker.unused_data or b"") or stream.read(_BLOCK_BYTES)
                n_streams, fed = n_streams + 1, False
                if not packed.strip(b"\0") or not _goes_on(packed, media_type):
                    return
                unpacker = _decompressor(media_type)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise ExtractionError("CORRUPT", f"the compressed file is damaged: {error}") from error
    if fed or not n_streams:
        raise ExtractionError("CORRUPT", "the compressed file is cut")


def _goes_on(packed: bytes, media_type: str) -> bool:
    magic = {"application/gzip": b"\x1f\x8b", "application/x-bzip2": b"BZh"}.get(media_type, b"\xfd7zXZ")
    return packed.startswith(magic[: len(packed)])


def _decompressor(media_type: str) -> Any:
    if media_type == "application/gzip":
        return zlib.decompressobj(31)
    if media_type == "application/x-bzip2":
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


def _step(unpacker: Any, packed: bytes, media_type: str) -> tuple[bytes, bytes]:
    """A block, and what is left to be fed."""
    block: bytes = unpacker.decompress(packed, _BLOCK_BYTES)
    if media_type == "application/gzip":
        return block, unpacker.unconsumed_tail
    return block, b""
