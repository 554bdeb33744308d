"""Lists that are read page by page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from docmill.client.operations.description import Answer, Call, Page

Row = dict[str, Any]

#: Rows of a page.
PAGE_ROWS = 1_000


def first(
    path: str,
    query: Mapping[str, str | int | Sequence[str]],
    limit: int | None = None,
    row: Callable[[Row], Row] = lambda row: row,
    most: int = PAGE_ROWS,
) -> Call[Page[Row]]:
    """The request for the first page; each page makes that for the next one. At most `limit` rows in all and `most` of
    a page, which `row` turns into those of the store."""

    def page(after: Mapping[str, str], left: int | None) -> Call[Page[Row]]:
        n_rows = most if left is None else max(1, min(most, left))

        def read(answer: Answer) -> Page[Row]:
            found = answer.json()
            rows = [row(each) for each in found["data"]][:left]
            remaining = None if left is None else left - len(rows)
            cursor = found["next_after"]
            is_last = cursor is None or remaining == 0
            return Page(rows, None if is_last else page({"after": cursor}, remaining))

        return Call("GET", path, read, {**query, "limit": n_rows, **after})

    return page({}, limit)


def with_times(*names: str) -> Callable[[Row], Row]:
    """Turns texts back into the times that they are."""

    def turned(row: Row) -> Row:
        return row | {name: datetime.fromisoformat(row[name]) for name in names if row[name] is not None}

    return turned
