"""What docmill doctor looks at: what is reachable, what is stuck, why, and what mends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from db.errors import StoreError
from db.models import Chunk, Job, ModelVersion
from db.sql import now
from db.store import Store
from workers.settings import Settings, settings

#: A chunk that was ready for so long and not claimed has no worker.
IDLE_SECONDS = 30.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str
    fix: str | None = None


def run() -> list[Finding]:
    """Everything, the most basic first: what depends on something broken is left out."""
    now_settings = settings()
    store = Store(now_settings.url)
    found = [_store(store)]
    if found[0].ok:
        found.append(_models_folder(store, now_settings))
    redis = _redis(now_settings)
    found.append(redis)
    workers: set[str] = set()
    if redis.ok:
        finding, workers = _workers()
        found.append(finding)
    if found[0].ok:
        with store.read() as session:
            found += _jobs(session, workers)
    store.close()
    return found


def _store(store: Store) -> Finding:
    try:
        store.check_schema()
        store.check_durability()
    except StoreError as error:
        return Finding("store", False, str(error))
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        return Finding(
            "store", False, f"{store.name}: {reason}", "check DOCMILL_DATABASE_URL and that it runs"
        )
    return Finding("store", True, store.name)


def _models_folder(store: Store, now_settings: Settings) -> Finding:
    from nlp_tasks import model_files

    folder = now_settings.models_path
    with store.read() as session:
        paths = list(session.scalars(select(ModelVersion.path)))
    missing = [path for path in paths if not (folder / path / model_files.MANIFEST).is_file()]
    if missing:
        detail = (
            f"{len(missing)} of {len(paths)} model versions are not in {folder}: {', '.join(missing[:3])}"
        )
        return Finding("models", False, detail, "mount the folder (DOCMILL_MODELS_DIR), or train again")
    return Finding("models", True, f"{len(paths)} versions in {folder}")


def _redis(now_settings: Settings) -> Finding:
    from scheduler.broker import Broker
    from workers.app import make_app

    broker = Broker(make_app())
    try:
        broker.ping()
    except Exception as error:
        fix = "docmill up" if not now_settings.redis_url else "check DOCMILL_REDIS_URL and that it runs"
        return Finding("redis", False, f"{now_settings.redis_name}: {str(error).splitlines()[0]}", fix)
    finally:
        broker.close()
    return Finding("redis", True, now_settings.redis_name)


def _workers() -> tuple[Finding, set[str]]:
    """The workers that answer, and the kinds they serve."""
    from workers.app import make_app

    queues = make_app().control.inspect(timeout=2).active_queues() or {}
    kinds = {queue["name"].removeprefix("docmill.") for served in queues.values() for queue in served}
    if not queues:
        return Finding(
            "workers", False, "no worker answers", "docmill worker --devices auto (or docmill up)"
        ), kinds
    return Finding("workers", True, f"{len(queues)} answer: {', '.join(sorted(queues))}"), kinds


def _jobs(session: Session, served: set[str]) -> Iterator[Finding]:
    n_open = session.scalar(select(func.count()).where(Job.state.not_in(("finished", "cancelled"))))
    yield Finding("jobs", True, f"{n_open} open")
    yield from _without_workers(session, served)
    yield from _faulty_chunks(session)
    for job in session.scalars(select(Job).where(Job.state == "paused")):
        yield Finding(f"job {job.id}", True, "paused by somebody", f"docmill resume {job.id}")
    overdue = select(func.count()).where(Chunk.state == "leased", Chunk.lease_until < now(-30))
    if n := session.scalar(overdue):
        yield Finding(
            "scheduler", False, f"{n} leases ran out and nobody frees them", "docmill scheduler (or up)"
        )


def _without_workers(session: Session, served: set[str]) -> Iterator[Finding]:
    """Kinds with ready chunks that nobody works on."""
    waiting = (
        select(Chunk.queue, func.count(), func.count(Chunk.sent_at), func.min(Job.created_at))
        .join(Job, Job.id == Chunk.job_id)
        .where(Chunk.state == "ready", Job.state == "running", Job.created_at < now(-IDLE_SECONDS))
        .group_by(Chunk.queue)
    )
    for kind, n_ready, n_sent, _ in session.execute(waiting):
        if kind not in served:
            detail = f"{n_ready} chunks of {kind} wait and no worker serves that kind"
            yield Finding(kind, False, detail, f"docmill worker --kinds {kind}")
        elif not n_sent:
            yield Finding(
                kind, False, f"{n_ready} chunks of {kind} are sent to nobody", "docmill scheduler (or up)"
            )


def _faulty_chunks(session: Session) -> Iterator[Finding]:
    """Chunks that keep failing for reasons that are no document's."""
    query = (
        select(Chunk.id, Chunk.job_id, Chunk.seq, Chunk.n_put_back, Chunk.n_crashes, Chunk.fault)
        .where(Chunk.state != "closed", (Chunk.n_put_back > 0) | (Chunk.n_crashes > 0))
        .order_by(Chunk.id)
        .limit(10)
    )
    for row in session.execute(query):
        times = f"put back {row.n_put_back} times, {row.n_crashes} crashes"
        detail = f"chunk {row.seq}: {times}; last: {row.fault}"
        yield Finding(f"job {row.job_id}", False, detail, f"mend the cause, or docmill cancel {row.job_id}")
