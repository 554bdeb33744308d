"""Errors of the database: whose fault they are, and words for people.

People never see a statement or its values: SQLAlchemy's own messages repeat them, and so do the drivers' second
lines (DETAIL, CONTEXT, LINE 1). Each engine of `db.store` takes them away where the error arises, so that no log, no
traceback and no message of Celery can hold them.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

#: SQLSTATE of a value that is missing, or that a CHECK refuses, and of a key that is there already.
_NOT_NULL, _CHECK, _UNIQUE = "23502", "23514", "23505"
#: SQLSTATE of a write to a server that only reads: a standby, or a primary that has become one.
_READ_ONLY = "25006"
#: The same as SQLite calls them.
_SQLITE_NAMES = {
    "SQLITE_CONSTRAINT_NOTNULL": _NOT_NULL,
    "SQLITE_CONSTRAINT_CHECK": _CHECK,
    "SQLITE_CONSTRAINT_UNIQUE": _UNIQUE,
    "SQLITE_CONSTRAINT_PRIMARYKEY": _UNIQUE,
}
#: The tables of the queue: a conflict there is docmill's own, whatever was to be written.
_QUEUE = ("job", "chunk", "outcome")
#: A driver that cannot send a value of this type.
_UNSENDABLE = re.compile(r"cannot adapt type|Error binding parameter|type .* is not supported")


def words(error: BaseException) -> str:
    """An error in one line, without statement and values. Of an error that is not the database's: its message."""
    if isinstance(error, StatementError):
        return first_line(error.orig) if error.orig is not None else type(error).__name__
    text = str(error).strip()
    return text if not _is_of_sqlalchemy(error) else text.split("\n")[0]


def first_line(error: BaseException) -> str:
    """What a driver said, less its paragraphs, and less the value that it quotes last."""
    line = _each_attempt(str(error)) or str(error).strip().split("\n")[0]
    if str(getattr(error, "sqlstate", None) or "").startswith("22"):
        line = re.sub(r': ".*', "", line)
    return line or type(error).__name__


def _each_attempt(said: str) -> str:
    """What the driver says of several hosts of which none would do: a line for each, as one line."""
    _, found, attempts = said.partition("All failures were:")
    if not found:
        return ""
    return "; ".join(
        dict.fromkeys(re.findall(r"^- host: .*?: ((?:connection|failed).*)$", attempts, re.MULTILINE))
    )


def without_sql(context: ExceptionContext) -> None:
    """For SQLAlchemy's event `handle_error`: take statement and values away from an error as it arises."""
    if context.sqlalchemy_exception is not None:
        strip(context.sqlalchemy_exception)


def strip(error: StatementError) -> None:
    """Take away what an error says of the statement; only what the driver said in its first line stays."""
    error.statement = error.params = error.code = None
    orig = error.orig
    if isinstance(error, DBAPIError) and orig is not None:
        said = first_line(orig)
        orig.args = (said,)
        error.args = (f"({type(orig).__module__}.{type(orig).__qualname__}) {said}",)


def leave_a_standby(context: ExceptionContext) -> None:
    """For SQLAlchemy's event `handle_error`: a server that refuses a write because it only reads is left. Its
    connections are dropped from the pool, and the next one looks for the server that accepts writes."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


#: SQLSTATE of a value whose type cannot become the column's: True for a number. Our own statements cast nothing else.
_CANNOT_CAST = "42846"
#: The class of PostgreSQL's errors about a statement or value that is too large for it; and those of them for which a
#: value is at fault: it is too long for an index or an array, or nested too deeply.
_LIMIT = "54"
_TOO_LARGE = ("54000", "54001")


def is_infrastructure_error(error: BaseException) -> bool:
    """Whether the database (not the request) is at fault: gone, restarting, full, locked, only reading. Worth trying
    again."""
    if isinstance(error, PoolTimeoutError):
        return True
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == _READ_ONLY:
        return True
    if isinstance(error, OperationalError):
        if (getattr(error.orig, "sqlstate", None) or "").startswith(_LIMIT):
            return False
        # SQLite says the same of a table that is not there, which no waiting brings.
        return getattr(error.orig, "sqlite_errorname", None) != "SQLITE_ERROR"
    return isinstance(error, DBAPIError) and error.connection_invalidated


def is_damage(error: BaseException) -> bool:
    """Whether SQLite's file is damaged, or is no database."""
    name = getattr(getattr(error, "orig", None), "sqlite_errorname", None) or ""
    return name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT"))


def is_data_error(error: BaseException) -> bool:
    """Whether the database refuses a value that it was given, so that the result which holds the value is at fault.
    Errors of the connection, the protocol, the tables or the queue's own rows are not."""
    if isinstance(error, UnicodeEncodeError | OverflowError | DataError):
        # Drivers raise the first two themselves: a lone surrogate, a number beyond 64 bits.
        return True
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in (*_TOO_LARGE, _CANNOT_CAST):
        return True
    if isinstance(error, IntegrityError):
        return _constraint(error) in (_NOT_NULL, _CHECK, _UNIQUE) and not _is_of_the_queue(error)
    is_unsent = isinstance(error, DBAPIError) and not getattr(error.orig, "sqlstate", None)
    return is_unsent and bool(_UNSENDABLE.search(str(error.orig)))  # type: ignore[attr-defined]


def _constraint(error: IntegrityError) -> str | None:
    orig: Any = error.orig
    if isinstance(orig, sqlite3.Error):
        return _SQLITE_NAMES.get(getattr(orig, "sqlite_errorname", ""))
    return getattr(orig, "sqlstate", None)


def _is_of_the_queue(error: IntegrityError) -> bool:
    """Whether the row that is refused is the queue's own, rather than a result."""
    orig: Any = error.orig
    if not isinstance(orig, sqlite3.Error):
        return getattr(orig.diag, "table_name", None) in (None, *_QUEUE)
    # "UNIQUE constraint failed: outcome.job_id, outcome.document_id", "CHECK constraint failed: ck_job_state"
    found = re.search(r"failed: (?:ck_)?(\w+?)[._]", str(orig))
    return found is None or found[1] in _QUEUE


def _is_of_sqlalchemy(error: BaseException) -> bool:
    return type(error).__module__.startswith("sqlalchemy.")
