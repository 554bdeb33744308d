"""The check of PostgreSQL's connections: what is used, and whether docmill's budget fits."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from db import connections, registry
from db.connections import Use
from db.store import Store
from docmill.doctor.findings import Finding

#: Above this share, the next worker may find no connection.
FULL = 0.9


def findings(store: Store, session: Session) -> Iterator[Finding]:
    """Nothing on SQLite."""
    if store.is_sqlite:
        return
    found = connections.use(store, session)
    workers = registry.alive(session, "worker")
    n_schedulers = len(registry.alive(session, "scheduler"))
    most = connections.budget(n_schedulers, len(workers), len({worker.host for worker in workers}))
    budget = f"{n_schedulers} schedulers and {len(workers)} worker processes need {most} at most"
    if found.is_pooled:
        yield _of_pooler(found, budget, most)
    names = ", ".join(f"{n} {name}" for name, n in found.by_name.items())
    detail = f"{found.n_used} of {found.capacity} in use ({names})"
    is_full = found.n_used > FULL * found.capacity
    if not found.is_pooled:
        detail += f"; {budget}"
        is_full = is_full or most > found.capacity
    fix = "raise max_connections in postgresql.conf, or put pgbouncer in between: docs/production.md, Connections"
    yield Finding("connections", not is_full, detail, fix if is_full else None)


def _of_pooler(found: Use, budget: str, most: int) -> Finding:
    pooler = found.pooler
    if pooler is None:
        detail = f"a pooler is in between, which does not show its figures to this user; {budget}"
        return Finding("pooler", True, detail, "add docmill's user to stats_users in pgbouncer.ini")
    detail = (
        f"{pooler.n_clients} clients of {pooler.max_clients}, {pooler.n_waiting} waiting, "
        f"{pooler.n_servers} of {pooler.pool_size} connections to the server; {budget}"
    )
    fits = most <= pooler.max_clients
    return Finding("pooler", fits, detail, None if fits else "raise max_client_conn in pgbouncer.ini")
