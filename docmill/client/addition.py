"""What is to be added to a collection: files at places, records from Python, or the rows of a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

from docmill.errors import InvalidRequestError, only_docmill_errors
from readers import ReadOptions
from readers.frames import Records
from scheduler.adding import Tell
from scheduler.sources import Source

_PATHS = (str, PathLike)


@dataclass(frozen=True)
class Addition:
    """One call of `add`. Either `source` or `records` is given."""

    collection: str
    source: Source | None = None
    records: Records = None
    options: ReadOptions | None = None
    tell: Tell | None = None
    #: Parameters of the job that reads files which have to be parsed.
    extract: Mapping[str, Any] | None = None
    extract_again: bool = False


def of(
    what: tuple[Any, ...],
    collection: str,
    options: ReadOptions | None,
    tell: Tell | None,
    extract: Mapping[str, Any] | None,
    *,
    extract_again: bool,
) -> Addition:
    """Paths, or one object that holds records. InvalidRequestError for both, and for nothing."""
    if not what:
        raise InvalidRequestError("say what to add: paths, or one DataFrame or iterable of dictionaries")
    if all(isinstance(each, _PATHS) for each in what):
        with only_docmill_errors():
            return Addition(
                collection,
                source=Source(what),
                options=options,
                tell=tell,
                extract=extract,
                extract_again=extract_again,
            )
    if len(what) > 1:
        raise InvalidRequestError(
            "add takes paths, or one object that holds records: add further objects in calls of their own"
        )
    [records] = what
    if isinstance(records, list | tuple) and records and isinstance(records[0], _PATHS):
        raise InvalidRequestError("this is a list of paths: write add(*paths, collection=...)")
    if extract or extract_again:
        raise InvalidRequestError("options of parsing belong to files, not to records")
    return Addition(collection, records=records, options=options, tell=tell)


def of_records(records: Records, collection: str, options: ReadOptions | None, tell: Tell | None) -> Addition:
    """One object that holds records."""
    return Addition(collection, records=records, options=options, tell=tell)


def of_query(
    sql: str,
    database: str,
    values: Mapping[str, Any] | None,
    collection: str,
    options: ReadOptions | None,
    tell: Tell | None,
) -> Addition:
    """The rows of a query on another database."""
    with only_docmill_errors():
        source = Source(sql=sql, database=database, values=values or {})
    return Addition(collection, source=source, options=options, tell=tell)
