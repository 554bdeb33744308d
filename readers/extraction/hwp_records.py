"""Records of HWP 5: tag, level and data, from streams that are compressed. Does not interpret them.

Hancom's specification "Hwp Document File Formats 5.0", revision 1.3, chapter 4.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from readers.extraction.limits import Budget, too_large
from readers.extraction.records import ExtractionError

_BLOCK_BYTES = 64 * 1024
#: A size that is written in the next four bytes.
_LONG = 0xFFF


@dataclass(frozen=True, slots=True)
class Record:
    """A record: `level` is its depth below the paragraph that it belongs to."""

    tag: int
    level: int
    data: bytes


def stream(ole: Any, name: str, compressed: bool, budget: Budget) -> bytes:
    """A stream as a whole, decompressed within the budget."""
    try:
        with ole.openstream(name) as opened:
            packed: bytes = opened.read()
    except Exception as error:
        raise ExtractionError("CORRUPT", f"the stream {name} cannot be read: {error}") from error
    return _inflated(packed, name, budget) if compressed else packed


def _inflated(packed: bytes, name: str, budget: Budget) -> bytes:
    inflater = zlib.decompressobj(-15)
    collected = bytearray()
    waiting = packed
    try:
        while waiting and not inflater.eof:
            block = inflater.decompress(waiting, _BLOCK_BYTES)
            waiting = inflater.unconsumed_tail
            collected += block
            budget.decompressed(len(block))
            budget.ratio(len(collected), len(packed))
            if len(collected) > budget.limits.member_bytes:
                raise too_large("bytes in one part", budget.limits.member_bytes)
            if not block and not waiting:
                break
    except zlib.error as error:
        raise ExtractionError("CORRUPT", f"the stream {name} is damaged: {error}") from error
    if not inflater.eof:
        raise ExtractionError("CORRUPT", f"the stream {name} is cut")
    return bytes(collected)


def records(data: bytes, name: str) -> Iterator[Record]:
    """The records of a stream. CORRUPT where one is longer than what is left."""
    at = 0
    while at + 4 <= len(data):
        (header,) = struct.unpack_from("<I", data, at)
        at += 4
        size = header >> 20
        if size == _LONG:
            if at + 4 > len(data):
                break
            (size,) = struct.unpack_from("<I", data, at)
            at += 4
        if at + size > len(data):
            raise ExtractionError("CORRUPT", f"a record of the stream {name} is cut")
        yield Record(header & 0x3FF, (header >> 10) & 0x3FF, data[at : at + size])
        at += size
