"""A user's own query, run on the store so that it can change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.store import is_infrastructure_error
from scheduler.client import store


@contextmanager
def rows_of(query: str) -> Iterator[tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]]:
    """The columns of a SELECT, and its rows. ValueError where it is none, or the database refuses it."""
    with store().read_only() as session:
        try:
            # No colon is a parameter here: the query is run as it was typed.
            found: Any = session.execute(text(query.replace(":", r"\:")))
        except DBAPIError as error:
            if is_infrastructure_error(error) and not store().is_sqlite:
                raise
            raise ValueError(f"the query: {str(error.orig).splitlines()[0]}") from None
        if not found.returns_rows:
            raise ValueError("that is no query: write a SELECT")
        yield tuple(found.keys()), (tuple(row) for row in found)
