"""What runs all the time reads no large table as a whole: neither when it is as large as here, nor when it is larger.

The store is filled by the database itself. Then each function that workers, schedulers and users call often is run, and
each statement that it sends is explained before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from db import chunks, documents, jobs, progress, registry, results, tallies
from db.chunks import Claim, Holder, Written
from db.migrations import upgrade
from db.store import Store
from db.tables import Chunk, Job
from docmill.doctor import standstill
from tests.servers import PostgresServer
from workers.processes.heartbeat import member
from workers.settings import settings

pytestmark = pytest.mark.slow

N_DOCUMENTS, N_JOBS, PER_CHUNK = 20_000, 8, 10
#: Tables that grow with the work that was done.
LARGE = {"document", "job", "chunk", "outcome", "classification", "run", "notification"}

#: Jobs that have ended, with an outcome and a result for each document, and two that run: of the first, one chunk in
#: ten is left; of the second, all. A store has many more jobs that have ended than jobs that run.
_FILL = f"""
SET LOCAL session_replication_role = replica;
INSERT INTO collection (id, name, created_at) VALUES (1, 'large', now());
INSERT INTO document (collection_id, key, version, is_latest, text, content_hash, body_chars, source, added_at)
    SELECT 1, 'k' || n, 1, true, 'text ' || n, sha256(n::text::bytea), 8, 'made', now()
    FROM generate_series(1, {N_DOCUMENTS}) n;
INSERT INTO job (kind, parameters, epoch, collection_id, priority, state, n_documents, n_ok, n_error, created_at,
                 started_at, finished_at)
    SELECT 'oracle', '{{}}', 1, 1, 5, CASE WHEN n <= {N_JOBS} THEN 'finished' ELSE 'running' END, {N_DOCUMENTS},
           CASE WHEN n <= {N_JOBS} THEN {N_DOCUMENTS} END, CASE WHEN n <= {N_JOBS} THEN 0 END, now(), now(),
           CASE WHEN n <= {N_JOBS} THEN now() END
    FROM generate_series(1, {N_JOBS + 2}) n;
INSERT INTO job (kind, parameters, epoch, collection_id, priority, state, n_documents, n_ok, n_error, created_at)
    SELECT 'oracle', '{{}}', 1, 1, 5, 'finished', 0, 0, 0, now() FROM generate_series(1, 20000) n;
INSERT INTO chunk (job_id, stage, seq, queue, priority, n_documents, n_ok, n_error, state, fence, n_put_back, n_crashes,
                   n_lost, n_suspect_crashes, n_suspect_lost, document_ids)
    SELECT j, 0, c, 'oracle', 5, {PER_CHUNK}, 0, 0,
           CASE WHEN j <= {N_JOBS} OR (j = {N_JOBS + 1} AND c % 10 > 0) THEN 'closed' ELSE 'ready' END,
           1, 0, 0, 0, 0, 0,
           (SELECT json_agg(d) FROM generate_series((c - 1) * {PER_CHUNK} + 1, c * {PER_CHUNK}) d)
    FROM generate_series(1, {N_JOBS + 2}) j, generate_series(1, {N_DOCUMENTS // PER_CHUNK}) c;
INSERT INTO outcome (job_id, document_id, state, written_at)
    SELECT j, d, 'ok', now() FROM generate_series(1, {N_JOBS}) j, generate_series(1, {N_DOCUMENTS}) d;
INSERT INTO classification (job_id, document_id, rank, label, score)
    SELECT j, d, 1, 'a', 1.0 FROM generate_series(1, {N_JOBS}) j, generate_series(1, {N_DOCUMENTS}) d;
"""


@dataclass
class Plans:
    """The statements that were sent, and those that read a large table as a whole."""

    n: int = 0
    bad: list[str] = field(default_factory=list)

    def explain(self, cursor: Any, statement: str, values: Any) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "INSERT", "DELETE", "WITH")):
            return
        with cursor.connection.cursor() as own:
            own.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
            (plan,) = own.fetchone()
        self.n += 1
        for table in _read_as_a_whole(plan[0]["Plan"]):
            self.bad.append(f"{table}: {statement}\n{json.dumps(plan[0]['Plan'])[:400]}")


def _read_as_a_whole(plan: dict[str, Any]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan" and plan["Relation Name"] in LARGE:
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from _read_as_a_whole(part)


@contextmanager
def explaining(store: Store) -> Iterator[Plans]:
    plans = Plans()

    def look(_c: Any, cursor: Any, statement: str, values: Any, _x: Any, many: bool) -> None:
        plans.explain(cursor, statement, values[0] if many else values)

    event.listen(store.engine, "before_cursor_execute", look)
    try:
        yield plans
    finally:
        event.remove(store.engine, "before_cursor_execute", look)


@pytest.fixture(scope="module")
def large(postgres_server: PostgresServer) -> Iterator[Store]:
    postgres_server.execute("DROP DATABASE IF EXISTS large WITH (FORCE)")
    postgres_server.execute("CREATE DATABASE large")
    store = Store(postgres_server.url("large"))
    upgrade(store)
    with store.write() as session:
        for statement in _FILL.split(";\n"):
            session.connection().exec_driver_sql(statement.replace("%", "%%"))
    postgres_server.execute("VACUUM (ANALYZE)", "large")
    yield store
    store.close()
    postgres_server.execute("DROP DATABASE large WITH (FORCE)")


def _claim(session: Session) -> Claim:
    ready = (
        select(Chunk.id).where(Chunk.state == "ready", Chunk.job_id == N_JOBS + 2).order_by(Chunk.id).limit(1)
    )
    found = chunks.claim(session, session.scalars(ready).one(), Holder("w", "i.1"), 60)
    assert found is not None
    return found


def _claim_and_write(session: Session) -> None:
    held = _claim(session)
    texts = documents.texts(session, held.document_ids, with_text=True)
    assert len(texts) == PER_CHUNK
    assert len(results.pending(session, held.job_id, held.document_ids, None, None)) == PER_CHUNK
    chunks.renew(session, held, 60, "10 %: going on")
    chunks.suspect(session, held, held.document_ids[0], 60)
    chunks.write(session, held, Written(ok_ids=held.document_ids), 60, close=True)


def _put_back(session: Session) -> None:
    chunks.put_back(session, _claim(session), "no reason")


def _deaths(session: Session) -> None:
    _claim(session)
    chunks.crashed(session, "i", "POISON", "died")
    _claim(session)
    chunks.lost(session, "i", "gone")
    _claim(session)
    session.execute(text("UPDATE chunk SET lease_until = now() - interval '1 hour' WHERE state = 'leased'"))
    assert chunks.reap(session)


def _feed(session: Session) -> None:
    waiting = chunks.waiting(session, 64)
    assert [job.n_unsent for job in waiting] == [64, 64]
    messages = chunks.take_for_sending(session, [job.job_id for job in waiting] * 32, 10)
    assert len(messages) == 64
    chunks.unsend(session, [message.chunk_id for message in messages])
    chunks.unsend_jobs(session, [job.job_id for job in waiting])


def _finish(session: Session) -> None:
    job_id = N_JOBS + 1
    assert not chunks.is_every_chunk_closed(session, job_id)
    assert not chunks.has_blocked_chunks(session, job_id)
    count = jobs.Count()
    while not count.is_whole:
        count = jobs.count_some(session, N_JOBS, count)
    assert count.n_ok == N_DOCUMENTS
    assert not jobs.finish(session, job_id, count)
    session.execute(
        select(Job.id).where(Job.state.not_in(("finished", "cancelled"))).order_by(Job.id).limit(100)
    )


def _status(session: Session) -> None:
    shown = [progress.of(session, N_JOBS), *progress.newest(session, 20)]
    standstill.of(session, [progress.of(session, N_JOBS + 1)], settings(), 30)
    assert shown


def _registry(session: Session) -> None:
    registry.beat(session, [member("worker", "cpu-0@host", "abc", "cpu", ["oracle"])])
    registry.prune(session)
    registry.alive(session, "worker")
    registry.lost(session)


def _one(view: str, condition: str) -> Callable[[Session], None]:
    def look(session: Session) -> None:
        session.execute(text(f"SELECT * FROM {view} WHERE {condition} LIMIT 100")).all()

    return look


def _depth(session: Session) -> None:
    """As metrics count: what waits and what is held, and since when."""
    session.execute(
        text(
            "SELECT c.queue, c.state, count(*) FROM chunk c WHERE c.state IN ('ready', 'leased', 'blocked') "
            "AND c.state <> 'closed' GROUP BY 1, 2"
        )
    ).all()


HOT: dict[str, Callable[[Session], None]] = {
    "claim, load, renew, suspect, write, close": _claim_and_write,
    "put back": _put_back,
    "crashed, lost, reaped": _deaths,
    "feed": _feed,
    "finish": _finish,
    "status": _status,
    "registry": _registry,
    "queue depth": _depth,
    "progress of a job": _one("v_job_progress", f"job_id = {N_JOBS}"),
    "failures of a job": _one("v_failures", f"job_id = {N_JOBS}"),
    "labels of a document": _one("v_latest_label", "collection = 'large' AND document_key = 'k17'"),
}


class _UndoneError(Exception):
    """Nothing of it is kept."""


@pytest.mark.parametrize("name", HOT)
def test_what_runs_all_the_time_reads_no_large_table_as_a_whole(large: Store, name: str) -> None:
    with suppress(_UndoneError), explaining(large) as plans, large.write() as session:
        HOT[name](session)
        tallies.flush(session)
        raise _UndoneError
    assert plans.n
    assert plans.bad == []


def test_the_progress_of_a_job_reads_its_chunks_once(large: Store) -> None:
    with large.read() as session:
        query = f"EXPLAIN (FORMAT JSON) SELECT * FROM v_job_progress WHERE job_id = {N_JOBS + 1}"
        [plan] = session.scalars(text(query)).one()
    # Beside the sums: the chunk with a fault, and the number of its siblings.
    assert json.dumps(plan).count('"Relation Name": "chunk"') <= 3


def test_a_sequential_scan_would_be_seen(large: Store) -> None:
    with large.read() as session, explaining(large) as plans:
        session.execute(text("SELECT count(*) FROM outcome WHERE written_at < now()")).scalar_one()
    assert len(plans.bad) == 1
    assert plans.bad[0].startswith("outcome: SELECT")


@pytest.mark.parametrize(
    ("module", "function", "arguments", "time"),
    [
        ("docmill.web.views.documents", "_came_in", ([1],), "added_at"),
        ("docmill.web.recent_failures", "_failing", (), "finished_at"),
    ],
)
def test_what_is_recent_is_found_by_its_time(
    large: Store, module: str, function: str, arguments: tuple[Any, ...], time: str
) -> None:
    """A time that may change from row to row is a filter of all rows, and no condition of the index."""
    plans: list[str] = []

    def look(_c: Any, cursor: Any, statement: str, values: Any, _x: Any, _m: bool) -> None:
        if not statement.startswith("SELECT"):
            return
        with cursor.connection.cursor() as own:
            own.execute(f"EXPLAIN {statement}", values)
            plans.append("\n".join(row[0] for row in own.fetchall()))

    with large.read() as session:
        event.listen(large.engine, "before_cursor_execute", look)
        try:
            getattr(import_module(module), function)(session, *arguments)
        finally:
            event.remove(large.engine, "before_cursor_execute", look)
    assert any(time in line for line in plans[-1].splitlines() if "Index Cond" in line), plans[-1]
