"""Which views a store has: created, dropped, and told apart by a fingerprint that is stored beside them.

They are dropped before every migration and created after it. A store with older views is brought up to date by
`docmill db upgrade` (SQLite: when it is opened). Newer views are left alone: an older docmill works with them, since
views only gain columns. If it recreated its own, two docmills that share a SQLite file would replace each other's
views for ever.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, text

from db.views import DIGESTS, VIEWS


def digest() -> str:
    """The fingerprint of this version's views: its number in `views.DIGESTS`, a dash, and a hash."""
    return f"{len(DIGESTS)}-{queries_hash()}"


def queries_hash() -> str:
    """A hash of the queries of all views, which `views.DIGESTS` ends with."""
    queries = sorted((name, *view.queries) for name, view in VIEWS.items())
    return hashlib.sha256(repr(queries).encode()).hexdigest()[:16]


def stored(connection: Connection) -> str | None:
    """The fingerprint of the views that the store has; None if there is none yet."""
    if not connection.dialect.has_table(connection, "view_digest"):
        return None
    found: str | None = connection.scalar(text("SELECT digest FROM view_digest"))
    return found


def are_newer(connection: Connection) -> bool:
    """Whether a newer docmill made the store's views."""
    return _number(stored(connection)) > len(DIGESTS)


def are_usable(connection: Connection) -> bool:
    """Whether the store's views are this version's, or newer."""
    found = stored(connection)
    return found == digest() or _number(found) > len(DIGESTS)


def drop(connection: Connection) -> None:
    """Drop every view, so that the tables they read can change."""
    for name in VIEWS:
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def create(connection: Connection) -> None:
    """Create every view as this version has it, and store the fingerprint."""
    for name, view in VIEWS.items():
        connection.execute(text(f"CREATE VIEW {name} AS {view.query_for(connection.dialect.name)}"))
    connection.execute(text("DELETE FROM view_digest"))
    connection.execute(text("INSERT INTO view_digest (digest) VALUES (:digest)"), {"digest": digest()})


def _number(fingerprint: str | None) -> int:
    """0 for a fingerprint from before they were numbered."""
    number, _, rest = (fingerprint or "").partition("-")
    return int(number) if rest and number.isdecimal() else 0
