"""Many rows at once, the fastest way each database has: COPY on PostgreSQL, executemany on SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

#: Below so many rows, COPY's own round trips cost more than it saves.
COPY_FROM_ROWS = 50


def insert_rows(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, all with the same columns and a value for each; defaults are not filled in. Part of the
    session's transaction."""
    if _is_postgres(session) and len(rows) >= COPY_FROM_ROWS:
        names = list(rows[0])
        _copy(session, table, names, ([row[name] for name in names] for row in rows))
    else:
        session.execute(insert(table), rows)


def insert_tuples(
    session: Session,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    skip_existing: bool,
) -> None:
    """Insert rows whose values (numbers, text, bytes, None) the drivers take as they are, which spares the
    conversion of each value. `skip_existing` leaves rows alone whose key is there already."""
    if _is_postgres(session) and len(rows) >= COPY_FROM_ROWS and not skip_existing:
        _copy(session, table, columns, rows)
        return
    places = ", ".join(["%s" if _is_postgres(session) else "?"] * len(columns))
    ending = " ON CONFLICT DO NOTHING" if skip_existing else ""
    # Names come from our own models; the values travel apart from the statement.
    statement = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({places}){ending}"  # noqa: S608
    session.connection().exec_driver_sql(statement, list(rows))


def _copy(session: Session, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    dbapi_error = connection.dialect.loaded_dbapi.Error
    statement = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN"
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except dbapi_error as error:
        # As SQLAlchemy would have it, so that callers tell a lost connection from a bad value.
        raise DBAPIError.instance(
            statement,
            None,
            error,
            dbapi_error,
            connection_invalidated=bool(driver.closed),
            dialect=connection.dialect,
        ) from error


def _is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
