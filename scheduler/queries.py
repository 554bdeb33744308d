"""A user's own query, run so that it can change nothing."""

from __future__ import annotations

import difflib
import re

from db import ad_hoc, views
from db.ad_hoc import Found, QueryError
from db.store import Store
from db.tables import Base
from scheduler.column_hints import naming_columns
from workers.settings import settings


def run(store: Store, query: str, limit: int | None = None) -> Found:
    """The columns and the first `limit` rows of a SELECT. ValueError if it is none, or the database refuses it."""
    with naming_columns(store, query):
        try:
            return ad_hoc.run(store, query, seconds=settings().query_seconds, limit=limit)
        except QueryError as error:
            raise ValueError(f"the query: {error}{_did_you_mean(str(error))}") from None


def _did_you_mean(said: str) -> str:
    """The view or table whose name is most like the missing one."""
    missing = re.search(r'no such table: (\S+)|relation "(\S+)" does not exist', said)
    if missing is None:
        return ""
    there_are = [*views.VIEWS, *Base.metadata.tables]
    close = difflib.get_close_matches(missing[1] or missing[2], there_are, n=1)
    return f": did you mean {close[0]}?" if close else f"; the views are {', '.join(views.VIEWS)}"
