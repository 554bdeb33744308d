"""A table in another database, PostgreSQL or SQLite: all of an export is one transaction there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable, DropTable

from db.database_errors import first_line, words
from db.errors import StoreError
from db.reading import Column, Row, Type
from db.sql import UtcDateTime
from db.store import Store
from scheduler.exports.changes import CHANGE, GONE
from scheduler.exports.request import Mode

_TYPES: dict[Type, Any] = {
    Type.BOOLEAN: sa.Boolean(),
    Type.INTEGER: sa.BigInteger(),
    Type.NUMBER: sa.Double(),
    # SQLite has no exact numbers.
    Type.DECIMAL: sa.Numeric().with_variant(sa.Double(), "sqlite"),
    Type.TEXT: sa.Text(),
    Type.TIME: UtcDateTime(),
    Type.DATE: sa.Date(),
    Type.BYTES: sa.LargeBinary(),
}
_EXAMPLE = "postgresql://user:password@host/database/table, or sqlite:////path/file.db/table"


@dataclass(frozen=True)
class Target:
    """A table in a database."""

    url: URL
    schema: str | None
    table: str

    @property
    def name(self) -> str:
        """For people: without user and password."""
        bare = self.url.set(username=None, password=None).difference_update_query(["password", "sslpassword"])
        shown = bare.set(drivername=self.url.get_backend_name()).render_as_string()
        return f"{shown}/{self.schema + '.' if self.schema else ''}{self.table}"


def parse(given: str, store: Store) -> Target:
    """The table that a URL (or env:NAME, a variable with one) names. ValueError with an example; the URL, which may
    hold a password, is not repeated."""
    url, variable = given, "--to-table"
    if given.startswith("env:"):
        name, _, rest = given.removeprefix("env:").partition("/")
        variable = name
        url = os.environ.get(name, "")
        if not url:
            raise ValueError(f"--to-table {given}: the variable {name} is not set: write {_EXAMPLE} into it")
        if rest:
            address, mark, query = url.partition("?")
            url = f"{address}/{rest}{mark}{query}"
    address, _, query = url.partition("?")
    base, _, table = address.rpartition("/")
    schema, _, table = table.rpartition(".")
    try:
        parsed = make_url(base + (f"?{query}" if query else ""))
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ValueError(f"{variable} is no URL of a table: write {_EXAMPLE}") from None
    if backend in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    elif backend != "sqlite":
        raise ValueError(
            f"{variable}: tables are written to PostgreSQL and SQLite, not to {backend}: write {_EXAMPLE}"
        )
    if not table or not parsed.database:
        raise ValueError(f"{variable} names no table in a database: write {_EXAMPLE}")
    if _is_same(parsed, store):
        raise ValueError(f"{variable}: this is docmill's own store: name another database")
    return Target(parsed, schema or None, table)


@contextmanager
def opened(
    target: Target, columns: Sequence[Column], key: Sequence[str], mode: Mode, *, changes: bool
) -> Iterator[Any]:
    """Takes batches of rows; they are in the table, all of them, once the block has ended without an exception. With
    `changes`, each row begins with what has happened to it. StoreError if the database refuses something."""
    connect: dict[str, Any] = (
        {"timeout": 60}
        if target.url.get_backend_name() == "sqlite"
        else {"connect_timeout": 10, "application_name": "docmill export", "client_encoding": "utf8"}
    )
    if target.url.get_backend_name() == "sqlite" and not Path(target.url.database or "").parent.is_dir():
        raise ValueError(
            f"{target.url.database}: there is no folder {Path(target.url.database or '').parent}"
        )
    engine = sa.create_engine(target.url, poolclass=NullPool, hide_parameters=True, connect_args=connect)
    try:
        with _in_words(target, key), engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                # The driver would begin only before the first change of a row.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            writing = _Writing(connection, target, columns, key, changes=changes)
            if changes or mode is Mode.UPSERT:
                yield from writing.upserted()
            else:
                yield from writing.replaced()
    finally:
        engine.dispose()


class _Writing:
    """One transaction in the other database."""

    def __init__(
        self,
        connection: sa.Connection,
        target: Target,
        columns: Sequence[Column],
        key: Sequence[str],
        *,
        changes: bool,
    ) -> None:
        self._connection, self._target, self._columns, self._key = connection, target, columns, key
        self._changes = changes
        self._table = sa.Table(target.table, sa.MetaData(), *self._made(), schema=target.schema)

    def replaced(self) -> Iterator[Any]:
        """The rows of a table are deleted and come anew, so that readers see the old ones until the end, and grants,
        indexes and views stay. A table with other columns is made anew."""
        there = self._there()
        if there is not None and list(there) == [column.name for column in self._columns]:
            self._connection.execute(sa.delete(self._table))
        else:
            if there is not None:
                self._connection.execute(DropTable(self._table))
            self._connection.execute(CreateTable(self._table))
        yield lambda rows: self._insert(self._table, rows)

    def upserted(self) -> Iterator[Any]:
        """The rows come into a table of their own first, so that one statement brings them into the table."""
        there = self._there()
        if there is None:
            self._connection.execute(CreateTable(self._table))
        else:
            self._check(there)
        first = [sa.Column(CHANGE, sa.Text())] if self._changes else []
        staging = sa.Table(
            f"docmill_{secrets.token_hex(4)}",
            sa.MetaData(),
            *first,
            *self._made(),
            prefixes=["TEMPORARY"],
        )
        self._connection.execute(CreateTable(staging))
        yield lambda rows: self._insert(staging, rows)
        self._merge(staging)
        self._connection.execute(DropTable(staging))

    def _merge(self, staging: sa.Table) -> None:
        names = [column.name for column in self._columns]
        from_ = sa.select(*(staging.c[name] for name in names)).where(sa.true())
        if self._changes:
            is_same = [self._table.c[name] == staging.c[name] for name in self._key]
            gone = sa.exists().where(staging.c[CHANGE] == GONE, *is_same)
            self._connection.execute(sa.delete(self._table).where(gone))
            from_ = from_.where(staging.c[CHANGE] != GONE)
        insert: Any
        if self._connection.dialect.name == "sqlite":
            from sqlalchemy.dialects.sqlite import insert
        else:
            from sqlalchemy.dialects.postgresql import insert
        statement = insert(self._table).from_select(names, from_)
        others = {name: statement.excluded[name] for name in names if name not in self._key}
        if others:
            statement = statement.on_conflict_do_update(index_elements=list(self._key), set_=others)
        else:
            statement = statement.on_conflict_do_nothing(index_elements=list(self._key))
        self._connection.execute(statement)

    def _made(self) -> list[sa.Column[Any]]:
        return [
            sa.Column(
                column.name,
                _TYPES[column.type],
                primary_key=column.name in self._key,
                autoincrement=False,
            )
            for column in self._columns
        ]

    def _there(self) -> list[str] | None:
        """The columns of the table, if it is there."""
        inspector = sa.inspect(self._connection)
        table, schema = self._target.table, self._target.schema
        if table in inspector.get_view_names(schema):
            raise ValueError(f"{self._target.name} is a view: name a table")
        if not inspector.has_table(table, schema):
            return None
        return [column["name"] for column in inspector.get_columns(table, schema)]

    def _check(self, there: Sequence[str]) -> None:
        """ValueError unless rows can be updated by key."""
        if missing := [column.name for column in self._columns if column.name not in there]:
            raise ValueError(
                f"{self._target.name} has no column {', '.join(missing)}: add it there, or write another table"
            )
        inspector = sa.inspect(self._connection)
        table, schema = self._target.table, self._target.schema
        unique: list[Sequence[str | None]] = [
            inspector.get_pk_constraint(table, schema)["constrained_columns"]
        ]
        unique += [one["column_names"] for one in inspector.get_unique_constraints(table, schema)]
        unique += [one["column_names"] for one in inspector.get_indexes(table, schema) if one["unique"]]
        if set(self._key) not in [set(names) for names in unique]:
            raise ValueError(
                f"{self._target.name} has no unique index on {', '.join(self._key)}, by which rows are updated: "
                f"create one, or write another table"
            )

    def _insert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        if self._connection.dialect.name == "sqlite":
            names = [column.name for column in table.c]
            values = [dict(zip(names, map(_no_decimal, row), strict=True)) for row in rows]
            self._connection.execute(sa.insert(table), values)
        else:
            self._copy(table, rows)

    def _copy(self, table: sa.Table, rows: Iterable[Row]) -> None:
        driver: Any = self._connection.connection.driver_connection
        quote = self._connection.dialect.identifier_preparer
        columns = ", ".join(quote.quote(column.name) for column in table.c)
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {quote.format_table(table)} ({columns}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)


def _no_decimal(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


@contextmanager
def _in_words(target: Target, key: Sequence[str]) -> Iterator[None]:
    """An error of the other database must not look like one of the store."""
    try:
        yield
    except IntegrityError as error:
        raise _not_unique(target, key, error.orig or error) from None
    except psycopg.errors.IntegrityError as error:
        raise _not_unique(target, key, error) from None
    except DBAPIError as error:
        raise StoreError(f"{target.name}: {words(error)}") from None
    except psycopg.Error as error:
        raise StoreError(f"{target.name}: {first_line(error)}") from None


def _not_unique(target: Target, key: Sequence[str], error: BaseException) -> ValueError:
    return ValueError(f"{target.name}: {first_line(error)}: does --key {','.join(key)} tell the rows apart?")


def _is_same(url: URL, store: Store) -> bool:
    if url.get_backend_name() == "sqlite":
        return store.file is not None and Path(url.database or "").resolve() == store.file.resolve()
    own = store.url
    return not store.is_sqlite and (url.host, url.port or 5432, url.database) == (
        own.host,
        own.port or 5432,
        own.database,
    )
