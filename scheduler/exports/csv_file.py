"""CSV as RFC 4180 has it, in UTF-8."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from db.reading import Column
from scheduler.cells import csv_line
from scheduler.exports.writers import Notes, Options, Write, text_file


@contextmanager
def opened(path: Path, columns: Sequence[Column], options: Options, notes: Notes) -> Iterator[Write]:
    """A line of names, then a line for each row."""
    del notes
    with text_file(path, "utf-8-sig" if options.bom else "utf-8") as write:
        write(csv_line([column.name for column in columns], raw=options.raw))
        yield lambda rows: write("".join(csv_line(row, raw=options.raw) for row in rows))
