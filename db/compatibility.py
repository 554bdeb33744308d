"""Which versions of docmill may work on a store beside each other.

A migration that older code can bear (it adds tables, indexes, or columns that older code need not fill) says so with
`OLDER_CODE_MAY_GO_ON = True`. Each upgrade stores since which schema all migrations say so. Code that knows this schema
goes on working on the newer tables; older code claims and changes nothing any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, column, delete, func, insert, select
from sqlalchemy import table as sql_table
from sqlalchemy.orm import Session

from db.tables import Tolerance

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

#: Written in a migration's file.
FLAG = "OLDER_CODE_MAY_GO_ON"

_VERSION = sql_table("alembic_version", column("version_num")).c.version_num


def since() -> ColumnElement[str]:
    """In SQL: the oldest schema whose code may work on this store. It is the store's own schema, unless the upgrade
    that made this one has stored an older one."""
    version = select(_VERSION).scalar_subquery()
    stored = select(Tolerance.since).where(Tolerance.schema_revision == version).scalar_subquery()
    return func.coalesce(stored, version)


def is_known_to(schema: str) -> ColumnElement[bool]:
    """In SQL: the condition that code which knows this schema may work on this store."""
    version = select(_VERSION).scalar_subquery()
    return (version <= schema) | (since() <= schema)


def stored(session: Session) -> tuple[str, str]:
    """(the store's schema, the oldest schema whose code may work on it)."""
    schema, oldest = session.execute(select(_VERSION, since())).one()
    return schema, oldest


def store(connection: Connection, script: ScriptDirectory) -> None:
    """Called by an upgrade to the newest migration."""
    connection.execute(delete(Tolerance))
    values = {"schema_revision": script.get_current_head(), "since": tolerated_since(script)}
    connection.execute(insert(Tolerance).values(values))


def tolerated_since(script: ScriptDirectory) -> str:
    """The revision of the newest migration that older code cannot bear."""
    for revision in script.walk_revisions():
        if not getattr(revision.module, FLAG, False):
            return revision.revision
    raise ValueError("the first migration cannot be one that older code can bear")
