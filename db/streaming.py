"""Rows of a query that are read piece by piece, by whoever may stop in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

_AT_ONCE = 2_000


def streamed(session: Session, query: Select[*tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """The rows as dictionaries. The cursor is closed when the iterator is, also before the last row."""
    with session.execute(query.execution_options(yield_per=_AT_ONCE)) as found:
        for row in found.mappings():
            yield dict(row)
