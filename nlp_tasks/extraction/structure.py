"""The structure of a text as rows: pages, sections, tables. Offsets are those of the text as it is stored."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator

from nlp_tasks.extraction import (
    ExtractionPageRow,
    ExtractionSectionRow,
    ExtractionTableLineRow,
    ExtractionTableRow,
)
from nlp_tasks.kind import Row
from readers.extraction import Extraction, checks


def rows(rank: int, found: Extraction) -> Iterator[Row]:
    """The rows of one text, the `rank`-th of its file."""
    yield from _pages(rank, found)
    for number, section in enumerate(found.parts.sections, start=1):
        yield ExtractionSectionRow(rank, number, section.level, storable(section.title), section.start_char)
    yield from _tables(rank, found)


def _pages(rank: int, found: Extraction) -> Iterator[Row]:
    pages, n_tables = found.parts.pages, len(found.parts.tables)
    if not pages:
        return
    sizes = checks.chars_by_page(pages, len(found.text))
    marks = [page.n_tables for page in pages[1:]] + [n_tables]
    for number, (page, size, mark) in enumerate(zip(pages, sizes, marks, strict=True), start=1):
        text = found.text[page.start_char : page.start_char + size]
        yield ExtractionPageRow(
            text_rank=rank,
            page=number,
            start_char=page.start_char,
            n_chars=len(text),
            share_non_letters=checks.share_non_letters(text),
            n_replaced=checks.n_replaced(text),
            n_tables=mark - page.n_tables,
        )


def _tables(rank: int, found: Extraction) -> Iterator[Row]:
    marks = [page.n_tables for page in found.parts.pages]
    for number, table in enumerate(found.parts.tables, start=1):
        page = bisect_right(marks, number - 1)
        yield ExtractionTableRow(
            text_rank=rank,
            rank=number,
            page=page or None,
            start_char=table.start_char,
            in_text=table.in_text,
            n_rows=len(table.rows),
            n_columns=max(map(len, table.rows), default=0),
            n_chars=sum(len(cell) for row in table.rows for cell in row),
        )
        if not table.in_text:
            for line, row in enumerate(table.rows, start=1):
                cells = json.dumps([storable(cell) for cell in row], ensure_ascii=False)
                yield ExtractionTableLineRow(rank, number, line, cells)


def storable(text: str) -> str:
    """The text without what PostgreSQL cannot store: NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
