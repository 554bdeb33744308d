"""Short ways to put documents and jobs into a store, and to read what became of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select, text, update

from db import api_files, chunks, documents, jobs, request_batches
from db.chunks import ChunkSize, Claim, Holder, Written
from db.documents import NewDocument
from db.jobs import Count, NewJob, Submitted
from db.request_batches import NewBatch
from db.sql import now
from db.store import SCHEMA, Store
from db.tables import Chunk, Document, Job, Outcome

LEASE = 60.0
_numbers = itertools.count()


def add_documents(store: Store, n: int, collection: str = "news", *, label: str | None = None) -> int:
    """`n` documents k0, k1, ...; returns the collection's number."""
    new = [NewDocument(f"k{i}", f"text {i}", label, f"file:{i}") for i in range(n)]
    return add(store, new, collection)


def add(store: Store, new: Sequence[NewDocument], collection: str = "news") -> int:
    with store.write() as session:
        number = documents.collection_id(session, collection, create=True)
        for batch in documents.batches(new):
            documents.add(session, number, batch)
        return number


def submit(store: Store, collection: int, *, per_chunk: int = 10, **values: Any) -> Submitted:
    """A job of kind `oracle`, unless told otherwise, cut into chunks of `per_chunk` documents."""
    defaults: dict[str, Any] = {
        "kind": "oracle",
        "parameters": {},
        "chunk_size": ChunkSize(per_chunk, 1_000_000),
    }
    with store.write() as session:
        return jobs.submit(session, NewJob(collection_id=collection, **(defaults | values)))


def a_job(store: Store, n: int = 10, *, per_chunk: int = 10, **values: Any) -> int:
    """A fresh job over `n` fresh documents, in a collection of its own."""
    collection = add_documents(store, n, f"news{next(_numbers)}")
    return submit(store, collection, per_chunk=per_chunk, **values).job_id


def chunks_of(store: Store, job_id: int) -> list[Chunk]:
    """The job's chunks, with every column loaded, by stage and number."""
    with store.read() as session:
        query = select(Chunk).where(Chunk.job_id == job_id).order_by(Chunk.stage, Chunk.seq)
        found = list(session.scalars(query))
        for chunk in found:
            chunk.document_ids  # noqa: B018 (loads the deferred column)
        return found


def the_chunk(store: Store, job_id: int) -> Chunk:
    (chunk,) = chunks_of(store, job_id)
    return chunk


def job_of(store: Store, job_id: int) -> Job:
    with store.read() as session:
        return session.get_one(Job, job_id)


def outcomes(store: Store, job_id: int) -> dict[str, str]:
    """Document key -> "ok" or the error's code."""
    with store.read() as session:
        query = (
            select(Document.key, Outcome.error_code)
            .join(Outcome, Outcome.document_id == Document.id)
            .where(Outcome.job_id == job_id)
        )
        return {key: code or "ok" for key, code in session.execute(query)}


def claim(
    store: Store, chunk_id: int, worker: str = "w1", seconds: float = LEASE, *, name: str | None = None
) -> Claim | None:
    """Claimed by the instance `worker`, whose name for people is the same unless given."""
    return chunks.claim_at_once(store, chunk_id, Holder(name or worker, worker), seconds)


def held(store: Store, chunk_id: int, worker: str = "w1", *, name: str | None = None) -> Claim:
    """A claim that must succeed."""
    found = claim(store, chunk_id, worker, name=name)
    assert found is not None, f"chunk {chunk_id} cannot be claimed"
    return found


def write_ok(store: Store, claim: Claim, ids: Sequence[int] | None = None, *, close: bool = True) -> None:
    """Outcomes `ok` for these documents, or all of the chunk."""
    written = Written(ok_ids=claim.document_ids if ids is None else ids)
    chunks.write_at_once(store, claim, written, LEASE, close=close)


def let_leases_expire(store: Store) -> None:
    """What the passing of a lease's time does."""
    with store.write() as session:
        session.execute(update(Chunk).where(Chunk.state == "leased").values(lease_until=now(-1)))


def let_backoffs_pass(store: Store) -> None:
    with store.write() as session:
        session.execute(update(Chunk).values(not_before=None))


def reap(store: Store) -> list[int]:
    with store.write() as session:
        return chunks.reap(session)


def crash(store: Store, worker: str = "w1", code: str = "POISON") -> list[int]:
    """Tell the store that a worker died."""
    with store.write() as session:
        return chunks.crashed(session, worker, code, "it died")


def lose(store: Store, worker: str = "w1") -> list[int]:
    """Tell the store that a worker died, and that nobody saw why."""
    with store.write() as session:
        return chunks.lost(session, worker, "its machine died")


def crash_late(store: Store, claim: Claim, code: str = "POISON") -> bool:
    """Tell the store that the holder of a claim died, whose lease ran out before."""
    with store.write() as session:
        return chunks.crashed_late(session, claim.chunk_id, claim.fence, code, "it died")


def suspect(store: Store, claim: Claim, document_id: int) -> None:
    with store.write() as session:
        chunks.suspect(session, claim, document_id, LEASE)


def finish(store: Store, job_id: int) -> bool:
    """Count the outcomes, in steps, and end the job."""
    count = Count()
    with store.write() as session:
        while not count.is_whole:
            count = jobs.count_some(session, job_id, count, limit=7)
        return jobs.finish(session, job_id, count)


def stop(store: Store, job_id: int, *, documents: int = jobs.STEP_DOCUMENTS) -> None:
    """Cancel, all the way to the end, this many documents at a time."""
    with store.write() as session:
        jobs.stop(session, job_id, "CANCELLED", "asked for")
    stopped = jobs.Stopped(1)
    while stopped.n_chunks:
        with store.write() as session:
            stopped = jobs.stop_some(session, job_id, stopped.part, documents=documents)


def stop_some(store: Store, job_id: int, limit: int = 50) -> int:
    with store.write() as session:
        return jobs.stop_some(session, job_id, limit=limit).n_chunks


@contextmanager
def upgraded_to(store: Store, version: str) -> Iterator[None]:
    """What the upgrade of another docmill leaves, as far as this one can see."""
    statement = "UPDATE alembic_version SET version_num = :version RETURNING 1"
    sql(store, statement, version=version)
    try:
        yield
    finally:
        sql(store, statement, version=SCHEMA)


def create_batch(
    store: Store, content: bytes, *, collection: str | None = None, seconds: float = 86_400
) -> str:
    """A batch of requests for the oracle, over a file with this content, as the web server makes it; its id."""
    with store.write() as session:
        file = api_files.begin(session, "a.jsonl", "batch", "programs")
        if content:
            api_files.append(session, file.id, [(0, content)])
        api_files.complete(session, file.id, None, None)
        new = NewBatch(file.public_id, "/v1/oracle", "oracle", "24h", seconds, {}, collection, "programs")
        return request_batches.create(session, new).public_id


def sql(store: Store, statement: str, **values: Any) -> list[Any]:
    """Rows of a query, or of a change that RETURNs."""
    with store.write() as session:
        return list(session.execute(text(statement), values))
