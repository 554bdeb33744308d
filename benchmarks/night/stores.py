"""Stores of many documents with results, written in a few statements."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import text


def environment(url: str, home: Path, socket: str = "") -> dict[str, str]:
    """The settings of a benchmark's processes; of this process, too."""
    found = os.environ | {
        "DOCMILL_HOME": str(home),
        "DOCMILL_DATABASE_URL": url,
        "DOCMILL_REDIS_URL": f"unix://{socket}" if socket else "",
        "OMP_NUM_THREADS": "1",
    }
    os.environ.update(found)
    from scheduler.store import store
    from workers.kinds import all_kinds
    from workers.settings import settings

    for cached in (settings, all_kinds, store):
        cached.cache_clear()
    return dict(found)


def made(url: str) -> Any:
    """An empty store."""
    from db import migrations
    from db.store import Store
    from workers.kinds import all_kinds

    all_kinds()
    store = Store(url)
    migrations.upgrade(store)
    return store


def add(
    store: Any,
    collection: str,
    n: int,
    body: Callable[[int], str],
    *,
    start: int = 0,
    label: Callable[[int], str | None] = lambda _: None,
) -> int:
    """Documents k0 to kN; returns the collection's number."""
    from db import documents
    from db.documents import NewDocument

    with store.write() as session:
        number = documents.collection_id(session, collection, create=True)
    new = (NewDocument(f"k{i}", body(i), label(i), f"bench:{i}") for i in range(start, start + n))
    for batch in documents.batches(new):
        with store.write() as session:
            documents.add(session, number, batch)
    return number


def finish(store: Any, kind: str, collection: str, *, but: int = 0, **parameters: Any) -> int:
    """A job that is done with every document of a collection, without the last `but` of them, as if workers had done
    it; without result rows."""
    from scheduler import requests
    from scheduler.requests import JobRequest

    with store.write() as session:
        job_id = requests.submit(session, JobRequest(kind, collection, parameters=parameters)).job_id
        number = session.execute(text(f"SELECT collection_id FROM job WHERE id = {job_id}")).scalar_one()
        n = session.execute(text(f"SELECT n_documents FROM job WHERE id = {job_id}")).scalar_one()
        session.execute(
            text(
                "INSERT INTO outcome (job_id, document_id, state, written_at) "
                "SELECT :job, id, 'ok', CURRENT_TIMESTAMP FROM document "
                "WHERE collection_id = :collection AND is_latest ORDER BY id LIMIT :n"
            ),
            {"job": job_id, "collection": number, "n": n - but},
        )
        session.execute(text(f"DELETE FROM chunk WHERE job_id = {job_id}"))
        session.execute(
            text("UPDATE job SET state = 'finished', n_documents = :n, n_ok = :n, n_error = 0, finished_at = "
                 "CURRENT_TIMESTAMP WHERE id = :job"),
            {"n": n - but, "job": job_id},
        )  # fmt: skip
    if not store.is_sqlite:
        with store.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("ANALYZE")
    return int(job_id)
