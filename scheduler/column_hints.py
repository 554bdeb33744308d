"""Adds to a query's error about a column the columns that exist, most similar names first."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import inspect

from db import views
from db.store import Store
from db.tables import Base

#: As SQLite and PostgreSQL say it: `no such column: l.scoer`, `column "scoer" does not exist`.
_MISSING = re.compile(r'no such column: "?([\w.]+)|column "?([\w.]+)"? does not exist')


@contextmanager
def naming_columns(store: Store, query: str) -> Iterator[None]:
    """Add to a ValueError about a missing column the columns of the views and tables in the query."""
    try:
        yield
    except ValueError as error:
        found = _MISSING.search(str(error))
        if found is None:
            raise
        name = (found[1] or found[2]).rpartition(".")[2]
        raise ValueError(f"{error}{columns_like(store, query, name)}") from None


def columns_like(where: Store, query: str, name: str) -> str:
    """ "; v_latest_label has score, label, collection, ..." for each view or table that the query names."""
    words = set(re.findall(r"\w+", query.lower()))
    return "".join(
        f"; {view} has {', '.join(_nearest_first(name, _columns(where, view)))}"
        for view in (*views.VIEWS, *Base.metadata.tables)
        if view in words
    )


def _columns(where: Store, view: str) -> list[str]:
    return [column["name"] for column in inspect(where.engine).get_columns(view)]


def _nearest_first(name: str, columns: list[str]) -> list[str]:
    near = difflib.get_close_matches(name.lower(), columns, n=3, cutoff=0.5)
    return [*near, *(column for column in columns if column not in near)]
