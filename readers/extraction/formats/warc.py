"""WARC 1.0 and 1.1 (ISO 28500): each page that was answered is a member; a cut archive yields its whole records.

A record that is longer than its header says ends where the next one starts, with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from readers.extraction import http_body
from readers.extraction.context import Context
from readers.extraction.limits import Budget, too_large
from readers.extraction.records import ExtractionError, Member
from readers.extraction.source import Source
from readers.extraction.writer import Writer

_START = re.compile(rb"WARC/\d\.\d+\r?\n")
_NEXT = re.compile(rb"(?:\r?\n){1,2}(?=WARC/\d\.\d+\r?\n)")
_FIELD = re.compile(rb"^([A-Za-z-]+):[ \t]*(.*?)[ \t]*\r?$", re.MULTILINE)
_READ = frozenset(("response", "resource", "conversion"))
_BLOCK_BYTES = 64 * 1024
_MAX_HEADER_BYTES = 64 * 1024


class Readable(Protocol):
    """A file, or a stream that is decompressed."""

    def read(self, n_bytes: int = -1, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Record:
    kind: str
    address: str
    content_type: str
    #: None if it is larger than allowed.
    content: bytes | None


def read(source: Source, out: Writer, context: Context) -> None:
    """Members are named by their address; other records (requests, metadata) hold no documents."""
    with source.open() as stream:
        read_stream(stream, out, context)


def read_stream(stream: Readable, out: Writer, context: Context) -> None:
    """The same of a stream that cannot seek."""
    n_records = 0
    try:
        for record in _records(_Buffer(stream), out, context.budget):
            n_records += 1
            if record.kind in _READ:
                name = record.address or f"record {n_records}"
                out.members.append(_member(record, name, context))
    except ExtractionError as error:
        if error.code != "CORRUPT" or not n_records:
            raise
        out.warn("TRUNCATED", f"the WARC is damaged after {n_records} records: {error.detail}")
    if not out.members:
        raise ExtractionError("EMPTY", f"none of the {n_records} records of the WARC holds a document")


class _Buffer:
    """What was read and is not used yet."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.data = bytearray()

    def fill(self, n_bytes: int) -> bool:
        """Whether this many bytes are available."""
        while len(self.data) < n_bytes:
            block = self._stream.read(_BLOCK_BYTES)
            if not block:
                return False
            self.data += block
        return True

    def take(self, n_bytes: int) -> bytes:
        taken = bytes(self.data[:n_bytes])
        del self.data[:n_bytes]
        return taken


def _records(buffer: _Buffer, out: Writer, budget: Budget) -> Iterator[_Record]:
    number = 0
    while _skip_blanks(buffer):
        budget.tick()
        number += 1
        fields = _header(buffer)
        length = fields.get("content-length", "")
        if not length.isdigit():
            raise ExtractionError("CORRUPT", f"record {number} has no Content-Length")
        content = _content(buffer, int(length), number, budget)
        if content is not None and buffer.fill(4) and not buffer.data.startswith((b"\r\n\r\n", b"\n\n")):
            more = _to_next(buffer)
            out.warn("RECORD_LENGTH", f"record {number} is {len(more)} bytes longer than its header says")
            content += more
        kind, address = fields.get("warc-type", ""), fields.get("warc-target-uri", "").strip("<>")
        yield _Record(kind, address, fields.get("content-type", ""), content)


def _skip_blanks(buffer: _Buffer) -> bool:
    """To the next record; whether there is one."""
    while buffer.fill(1):
        n_blanks = len(buffer.data) - len(buffer.data.lstrip(b"\r\n"))
        if not n_blanks:
            return True
        buffer.take(n_blanks)
    return False


def _header(buffer: _Buffer) -> dict[str, str]:
    buffer.fill(_MAX_HEADER_BYTES)
    head = bytes(buffer.data[:_MAX_HEADER_BYTES])
    end = re.search(rb"\r?\n\r?\n", head)
    if not _START.match(head) or end is None:
        raise ExtractionError("CORRUPT", "a record has no whole header")
    buffer.take(end.end())
    found = _FIELD.findall(head[: end.start()])
    return {name.decode("ascii").lower(): value.decode("utf-8", "replace") for name, value in found}


def _content(buffer: _Buffer, length: int, number: int, budget: Budget) -> bytes | None:
    if length <= budget.limits.member_bytes:
        if not buffer.fill(length):
            raise ExtractionError("CORRUPT", f"record {number} is cut")
        return buffer.take(length)
    left = length
    while left:
        budget.tick()
        if not buffer.fill(1):
            raise ExtractionError("CORRUPT", f"record {number} is cut")
        left -= len(buffer.take(min(left, len(buffer.data))))
    return None


def _to_next(buffer: _Buffer) -> bytes:
    """The buffered bytes before the next record."""
    buffer.fill(_MAX_HEADER_BYTES)
    found = _NEXT.search(buffer.data)
    return buffer.take(found.start() if found else len(buffer.data))


def _member(record: _Record, name: str, context: Context) -> Member:
    try:
        if record.content is None:
            raise too_large("bytes in one record", context.budget.limits.member_bytes)
        is_http = "application/http" in record.content_type.lower() or record.content.startswith(b"HTTP/")
        content = http_body.body(record.content, context.budget) if is_http else record.content
        return context.member(Source(content, name))
    except ExtractionError as error:
        return Member(name, error=error)
