"""Connections to PostgreSQL: how many docmill needs, how many there may be, and how many there are.

Each process says in its connections' application_name what it is (PGAPPNAME; `docmill` if nobody set it).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from db.store import Store

#: The most connections that are open at a time, in a scheduler: one for each step of its loop, as many again at
#: most in a burst, and its heartbeat.
SCHEDULER = 9
#: In a worker's process: the work, its write behind, the keeper of the lease, and one to spare.
WORKER = 4
#: In `docmill worker` itself, however many processes it has: its heartbeat.
WORKER_SERVICE = 1
#: In another command.
COMMAND = 2

#: The pool of a worker's process: what is kept open, and what may come on top.
WORKER_POOL, WORKER_OVERFLOW = 2, WORKER - 2

_CAPACITY = """
SELECT least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true), '0')::int,
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
)
"""
#: Sessions of clients; PostgreSQL's own helpers mostly have no database.
_USED = "SELECT application_name, count(*) FROM pg_stat_activity WHERE datid IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"


@dataclass(frozen=True)
class Pooler:
    """What pgbouncer says of docmill's database."""

    n_clients: int
    n_waiting: int
    n_servers: int
    max_clients: int
    pool_size: int


@dataclass(frozen=True)
class Use:
    """The connections of a PostgreSQL server."""

    #: Those that docmill's role may open in all.
    capacity: int
    #: application_name -> how many
    by_name: dict[str, int]
    #: Whether a pooler stands between docmill and the server.
    is_pooled: bool
    #: None if it does not tell this user.
    pooler: Pooler | None = None

    @property
    def n_used(self) -> int:
        return sum(self.by_name.values())


def name_this_process(what: str) -> None:
    """From now on, connections of this process and its children are named "docmill WHAT", unless PGAPPNAME is set."""
    os.environ.setdefault("PGAPPNAME", f"docmill {what}")


def budget(n_schedulers: int, n_worker_processes: int, n_hosts: int) -> int:
    """The connections that these need at most, with one command beside them."""
    return n_schedulers * SCHEDULER + n_worker_processes * WORKER + n_hosts * WORKER_SERVICE + COMMAND


def use(store: Store, session: Session) -> Use:
    """What is used now. Only of PostgreSQL."""
    capacity = int(session.scalar(text(_CAPACITY)) or 0)
    by_name = {name or "others": n for name, n in session.execute(text(_USED))}
    driver: Any = session.connection().connection.driver_connection
    # A pooler gives its clients process numbers of its own.
    is_pooled = driver.info.backend_pid != session.scalar(text("SELECT pg_backend_pid()"))
    return Use(capacity, by_name, is_pooled, _pooler(store) if is_pooled else None)


def _pooler(store: Store) -> Pooler | None:
    """pgbouncer's own console; only users in its stats_users or admin_users may ask."""
    arguments = store.engine.dialect.create_connect_args(store.url)[1]
    arguments = {
        name: value for name, value in arguments.items() if name not in ("context", "target_session_attrs")
    }
    database = arguments["dbname"]
    try:
        with psycopg.connect(
            **arguments | {"dbname": "pgbouncer", "connect_timeout": 5}, autocommit=True
        ) as console:
            pools = _rows(console, "SHOW POOLS")
            config = {row["key"]: row["value"] for row in _rows(console, "SHOW CONFIG")}
    except psycopg.Error:
        return None
    ours = [pool for pool in pools if pool["database"] == database]
    return Pooler(
        sum(int(pool["cl_active"]) + int(pool["cl_waiting"]) for pool in ours),
        sum(int(pool["cl_waiting"]) for pool in ours),
        sum(int(pool["sv_active"]) + int(pool["sv_idle"]) + int(pool["sv_used"]) for pool in ours),
        int(config["max_client_conn"]),
        int(config["default_pool_size"]),
    )


def _rows(console: psycopg.Connection[Any], command: str) -> list[dict[str, Any]]:
    cursor = console.execute(command)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
