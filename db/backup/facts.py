"""What a store holds, counted in the snapshot that is copied. Reads tables of any version of docmill."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, column, func, inspect, select, table, text

#: Not counted: they hold nothing that was worked for, and every docmill makes them anew.
_OURS = ("alembic_version", "view_digest")


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model version whose files belong to the store."""

    ref: str
    #: Relative to the models folder.
    path: str
    manifest_sha256: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a store held at one moment."""

    #: The newest migration that it had.
    schema: str
    #: "sqlite 3.46.1", "postgresql 15.8".
    database: str
    #: The database's clock, as ISO 8601 in UTC.
    at: str
    #: Table -> number of rows.
    rows: dict[str, int]
    models: tuple[StoredModel, ...]


def of(connection: Connection) -> Facts:
    """Everything in the snapshot of this connection's transaction."""
    return Facts(
        schema=str(connection.scalar(text("SELECT version_num FROM alembic_version"))),
        database=_database(connection),
        at=_time(connection),
        rows=rows(connection),
        models=tuple(models(connection)),
    )


def rows(connection: Connection) -> dict[str, int]:
    """The number of rows of every table."""
    found = {}
    for name in sorted(inspect(connection).get_table_names()):
        if name not in _OURS:
            found[name] = int(connection.scalar(select(func.count()).select_from(table(name))) or 0)
    return found


def models(connection: Connection) -> list[StoredModel]:
    """The versions whose files have to exist. Older stores know no pruned versions."""
    there = inspect(connection)
    if not there.has_table("model_version"):
        return []
    is_pruned = any(each["name"] == "pruned_at" for each in there.get_columns("model_version"))
    version = table(
        "model_version", *map(column, ("model_id", "version", "path", "manifest_sha256", "pruned_at"))
    )
    model = table("model", column("id"), column("name"))
    query = select(model.c.name, version.c.version, version.c.path, version.c.manifest_sha256)
    query = query.join_from(version, model, model.c.id == version.c.model_id)
    if is_pruned:
        query = query.where(version.c.pruned_at.is_(None))
    query = query.order_by(model.c.name, version.c.version)
    return [StoredModel(f"{each[0]}@{each[1]}", each[2], each[3]) for each in connection.execute(query)]


def _database(connection: Connection) -> str:
    version = connection.dialect.server_version_info or ()
    return f"{connection.dialect.name} {'.'.join(map(str, version))}"


def _time(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return str(connection.scalar(text("SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now')")))
    said = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    return str(connection.scalar(text(said)))
