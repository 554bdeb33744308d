"""Extractions as bytes, for pipes between processes. JSON: a parser that a hostile file took over can send nothing
that runs code here."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from readers.extraction.records import (
    Extraction,
    ExtractionError,
    Figures,
    Member,
    Page,
    Parts,
    Section,
    Table,
    Warned,
)
from readers.records import Record

#: A letter for the kind of message, and the number of bytes that follow.
HEADER = struct.Struct(">cQ")
_MOST_AT_ONCE = 1024 * 1024


def as_bytes(value: Any) -> bytes:
    """JSON in UTF-8; halves of surrogate pairs go through."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def from_bytes(data: bytes | bytearray) -> Any:
    """The way back."""
    return json.loads(data.decode("utf-8", "surrogatepass"))


def send(fd: int, kind: bytes, data: bytes = b"") -> None:
    """Writes a message whole."""
    for part in (HEADER.pack(kind, len(data)), data):
        view = memoryview(part)
        while view:
            view = view[os.write(fd, view[:_MOST_AT_ONCE]) :]


def receive(fd: int, ready: Callable[[], None] = lambda: None) -> tuple[bytes, bytearray]:
    """The next message. EOFError at the end. `ready` returns once there is something to read, or raises."""
    kind, size = HEADER.unpack(_exactly(fd, HEADER.size, ready))
    return kind, _exactly(fd, size, ready)


def _exactly(fd: int, size: int, ready: Callable[[], None]) -> bytearray:
    data = bytearray()
    while len(data) < size:
        ready()
        part = os.read(fd, min(_MOST_AT_ONCE, size - len(data)))
        if not part:
            raise EOFError
        data += part
    return data


def packed(found: Extraction) -> dict[str, Any]:
    """An extraction as JSON has it."""
    return {
        "text": found.text,
        "title": found.title,
        "language": found.language,
        "sections": [(each.title, each.level, each.start_char) for each in found.parts.sections],
        "pages": [(page.start_char, page.n_tables) for page in found.parts.pages],
        "tables": [(table.start_char, table.rows, table.in_text) for table in found.parts.tables],
        "figures": asdict(found.figures),
        "warnings": [(warned.code, warned.detail) for warned in found.warnings],
        "members": [
            (
                member.name,
                packed(member.extraction) if member.extraction is not None else None,
                (member.error.code, member.error.detail) if member.error is not None else None,
            )
            for member in found.members
        ],
        "records": [
            (each.key, each.text, each.label, each.source, each.meta, each.was_markup)
            for each in found.records
        ],
    }


def unpacked(value: dict[str, Any]) -> Extraction:
    """The way back."""
    figures = value["figures"]
    return Extraction(
        text=value["text"],
        title=value["title"],
        language=value["language"],
        parts=Parts(
            tuple(Section(*each) for each in value["sections"]),
            tuple(Page(*each) for each in value["pages"]),
            tuple(Table(start, tuple(map(tuple, rows)), in_text) for start, rows, in_text in value["tables"]),
        ),
        figures=Figures(**figures | {"chars_by_page": tuple(figures["chars_by_page"])}),
        warnings=tuple(Warned(*each) for each in value["warnings"]),
        members=tuple(
            Member(
                name,
                unpacked(found) if found is not None else None,
                ExtractionError(*error) if error is not None else None,
            )
            for name, found, error in value["members"]
        ),
        records=tuple(Record(*each) for each in value["records"]),
    )
