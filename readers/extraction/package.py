"""A ZIP archive, read part by part within the budget. Independent of the formats inside."""

from __future__ import annotations

import lzma
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO

from readers.extraction.limits import Budget, too_large
from readers.extraction.records import ExtractionError
from readers.extraction.source import Source

_BLOCK_BYTES = 64 * 1024
#: Of one entry of the directory, with its name.
_ENTRY_BYTES = 46
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
)


class Package:
    """An open archive. A context manager."""

    def __init__(self, source: Source, budget: Budget) -> None:
        _check_directory(source, budget)
        self._budget = budget
        self._stream: BinaryIO = source.open()
        try:
            self._zip = zipfile.ZipFile(self._stream)
        except _DAMAGED as error:
            self._stream.close()
            detail = f"the ZIP archive cannot be read, it may be cut: {error}"
            raise ExtractionError("CORRUPT", detail) from error
        self._infos = {info.filename: info for info in self._zip.infolist()}

    def __enter__(self) -> Package:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._stream.close()

    @property
    def names(self) -> list[str]:
        """The names of its files, in the order of the archive; folders are none."""
        return [name for name, info in self._infos.items() if not info.is_dir()]

    def infos(self) -> list[zipfile.ZipInfo]:
        """All files, those with the same name as well."""
        return [info for info in self._zip.infolist() if not info.is_dir()]

    def __contains__(self, name: str) -> bool:
        return name in self._infos

    def blocks(self, name: str | zipfile.ZipInfo) -> Iterator[bytes]:
        """A part, block by block. CORRUPT where the part is missing or damaged, ENCRYPTED with a password."""
        info = name if isinstance(name, zipfile.ZipInfo) else self._infos.get(name)
        if info is None:
            raise ExtractionError("CORRUPT", f"the part {name} is missing")
        if info.flag_bits & 1:
            raise ExtractionError("ENCRYPTED", f"{info.filename} is encrypted: remove the password")
        n_out = 0
        try:
            with self._zip.open(info) as stream:
                while block := stream.read(_BLOCK_BYTES):
                    n_out += len(block)
                    self._budget.decompressed(len(block))
                    self._budget.ratio(n_out, info.compress_size)
                    yield block
        except _DAMAGED as error:
            raise ExtractionError("CORRUPT", f"{info.filename} is damaged: {error}") from error

    def read(self, name: str | zipfile.ZipInfo) -> bytes:
        """A part as a whole, at most `member_bytes`."""
        collected = bytearray()
        for block in self.blocks(name):
            collected += block
            if len(collected) > self._budget.limits.member_bytes:
                raise too_large("bytes in one part", self._budget.limits.member_bytes)
        return bytes(collected)


def relative(base: str, target: str) -> str:
    """The part that a path in a part means."""
    if target.startswith("/"):
        return target[1:]
    return posixpath.normpath(posixpath.join(posixpath.dirname(base), target))


def _check_directory(source: Source, budget: Budget) -> None:
    """Refuses a directory that would fill the memory before its entries can be counted."""
    tail = source.tail(65_557)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise ExtractionError("CORRUPT", "the ZIP archive has no end: it is cut")
    (n_entries, size) = struct.unpack("<HI", tail[at + 10 : at + 16])
    far = tail.rfind(b"PK\x06\x06")
    if size == 0xFFFFFFFF and far >= 0:
        (size,) = struct.unpack("<Q", tail[far + 40 : far + 48])
    if n_entries != 0xFFFF and n_entries > budget.limits.entries:
        raise too_large("entries", budget.limits.entries)
    if size > budget.limits.entries * _ENTRY_BYTES * 10:
        raise too_large("entries", budget.limits.entries)
