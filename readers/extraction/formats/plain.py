"""Plain text: its lines as they are, without their markup."""

from __future__ import annotations

from readers.extraction.context import Context
from readers.extraction.encoded import decode
from readers.extraction.records import ExtractionError
from readers.extraction.source import Source
from readers.extraction.writer import Writer
from readers.markup import plain


def read(source: Source, out: Writer, context: Context) -> None:
    """UNSUPPORTED for a file that turns out to be no text further on."""
    data = source.read()
    if b"\0" in data and not data.strip(b"\0 \t\r\n"):
        raise ExtractionError("EMPTY", "the file holds nothing but blanks and NUL bytes")
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    context.budget.tick()
    for paragraph in plain(text).split("\n"):
        out.verbatim(paragraph)
