"""A user's own query, run on the store so that it can change nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import views
from db.models import Base
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
            said = str(error.orig).splitlines()[0]
            raise ValueError(f"the query: {said}{_did_you_mean(said)}") from None
        if not found.returns_rows:
            raise ValueError("that is no query: write a SELECT")
        yield tuple(found.keys()), (tuple(row) for row in found)


def _did_you_mean(said: str) -> str:
    """The view or table that is named like the one which the database does not have."""
    missing = re.search(r'no such table: (\S+)|relation "(\S+)" does not exist', said)
    if missing is None:
        return ""
    there_are = [*views.VIEWS, *Base.metadata.tables]
    close = difflib.get_close_matches(missing[1] or missing[2], there_are, n=1)
    return f": did you mean {close[0]}?" if close else f"; the views are {', '.join(views.VIEWS)}"
