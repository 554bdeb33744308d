"""The checks of docmill doctor: what is reachable, what is stuck and why, and how to fix it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import exists, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, aliased

from db import jobs, limits, model_versions, notifications, quarantine, schedules
from db.database_errors import words
from db.errors import NoStoreError, StoreError
from db.retention import passes
from db.retention.policy import parse
from db.sql import now
from db.states import RunState
from db.store import Store
from db.tables import Chunk, Job, Schedule
from docmill.doctor import brokers, connections, local_servers, members
from docmill.doctor.findings import Finding, start_with
from scheduler.retention import STORED
from workers.settings import Settings, settings

#: A chunk that has been ready for this long and is not claimed has no worker.
IDLE_SECONDS = 30.0
#: A notification that has waited for this long is stuck.
STUCK_SECONDS = 300.0
#: Less free space than this is a problem.
LOW_DISK_BYTES = 500_000_000
#: Of this many jobs the outcomes are counted: those from which something was pruned last.
ACCOUNTS = 10


def run() -> list[Finding]:
    """All checks, the most basic first. Checks that depend on something broken are left out."""
    now_settings = settings()
    redis = brokers.findings(now_settings)
    redis_answers = redis[0].ok
    workers, answering = _workers(now_settings) if redis_answers else (None, None)
    served = set().union(*(answering or {}).values())
    try:
        store = Store(now_settings.url)
    except StoreError as error:
        return [Finding("store", False, str(error)), *redis, *_there(workers)]
    found = [_store(store)]
    if not found[0].ok:
        store.close()
        return [*found, *redis, *_there(workers)]
    found += [_disk(now_settings), *_models_folder(store, now_settings), *redis, *_there(workers)]
    found += local_servers.findings(now_settings)
    with store.read() as session:
        found += connections.findings(store, session)
        found += members.findings(session, answering)
        found += _retention(session)
        found += _jobs(session, served if redis_answers else None, now_settings)
    store.close()
    return found


def _there(finding: Finding | None) -> list[Finding]:
    return [] if finding is None else [finding]


def _disk(now_settings: Settings) -> Finding:
    """The folder of models, logs and the embedded store."""
    folder = now_settings.home_path
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    fix = "free some space: a store that cannot write stops all work" if free < LOW_DISK_BYTES else None
    return Finding("disk", fix is None, f"{free / 1e9:,.1f} GB free for {now_settings.home_path}", fix)


def _store(store: Store) -> Finding:
    try:
        store.check_schema(create=False)
        store.check_durability()
    except NoStoreError as error:
        fix = "docmill add PATHS --collection NAME; or set DOCMILL_HOME or DOCMILL_DATABASE_URL to the right one"
        return Finding("store", False, str(error), fix)
    except StoreError as error:
        return Finding("store", False, str(error))
    except SQLAlchemyError as error:
        return Finding(
            "store",
            False,
            f"{store.name}: {words(error)}",
            "check DOCMILL_DATABASE_URL, and that the database is running",
        )
    return Finding("store", True, store.name)


def _models_folder(store: Store, now_settings: Settings) -> Iterator[Finding]:
    """Whether the files of every model version exist; their contents are checked when a worker loads them."""
    folder = now_settings.models_path
    with store.read() as session:
        versions = [each for each in model_versions.listing(session) if each["pruned_at"] is None]
    n_bad = 0
    for version in versions:
        if missing := _missing_file(folder / version["path"]):
            n_bad += 1
            name = f"{version['model']}@{version['version']}"
            fix = "mount the models folder (DOCMILL_MODELS_DIR), restore it, or train again"
            yield Finding(f"model {name}", False, f"{missing} is missing", fix)
    yield Finding(
        "models", True, f"{len(versions) - n_bad} of {len(versions)} versions are complete in {folder}"
    )


def _missing_file(folder: Path) -> Path | None:
    """The first file of a model that is missing."""
    from nlp_tasks.model_files import MANIFEST

    manifest = folder / MANIFEST
    if not manifest.is_file():
        return manifest
    names = json.loads(manifest.read_text(encoding="utf-8"))
    return next((folder / name for name in names if not (folder / name).is_file()), None)


def _workers(now_settings: Settings) -> tuple[Finding, dict[str, set[str]]]:
    """The workers that answer, and the kinds that each of them serves."""
    from workers.app import make_app

    queues = make_app().control.inspect(timeout=2).active_queues() or {}
    kinds = {
        node.removeprefix("docmill-"): {queue["name"].removeprefix("docmill.") for queue in served}
        for node, served in queues.items()
    }
    if not queues:
        return Finding("workers", False, "no worker answers", start_with(now_settings, "worker")), kinds
    return Finding("workers", True, f"{len(queues)} answer: {', '.join(sorted(queues))}"), kinds


def _jobs(session: Session, served: set[str] | None, now_settings: Settings) -> Iterator[Finding]:
    """`served` are the kinds that workers serve; None if Redis cannot be asked."""
    n_open = session.scalar(select(func.count()).where(Job.state.not_in(jobs.ENDED)))
    yield Finding("jobs", True, f"{n_open} open")
    yield from _waiting_chunks(session, served, now_settings)
    yield from _nobody_moves(session, now_settings)
    yield from _faulty_chunks(session)
    for job in session.scalars(select(Job).where(Job.state == "paused").order_by(Job.id)):
        yield Finding(f"job {job.id}", True, "paused", f"docmill resume {job.id}")
    yield from _behind_paused(session)
    if held := quarantine.entries(session, limit=1000):
        yield Finding("quarantine", True, f"{len(held)} documents", "docmill quarantine list")
    yield from _schedules(session)
    yield from _notifications(session)


def _schedules(session: Session) -> Iterator[Finding]:
    """Schedules that are paused, or whose last run failed."""
    last = schedules.last_runs(session)
    for schedule in schedules.active(session):
        run = last.get(schedule.id)
        what = f"schedule {schedule.name}"
        if schedule.paused_at is not None:
            by_hand = schedule.n_failures == 0
            fix = f"docmill schedule enable {schedule.name}"
            yield Finding(what, by_hand, f"paused: {schedule.paused_why}", fix)
        elif run is not None and run.fault:
            detail = f"its last firing submitted nothing: {run.fault}"
            yield Finding(what, False, detail, f"docmill schedule run {schedule.name}")
        elif run is not None and run.state == RunState.FAILED:
            detail = f"its last run failed: {run.note}"
            yield Finding(what, False, detail, f"docmill schedule history {schedule.name}")


def _notifications(session: Session) -> Iterator[Finding]:
    """Destinations that take no messages, or that no scheduler tries."""
    for stuck in notifications.stuck(session, STUCK_SECONDS):
        n = f"{stuck.n_dead} given up, {stuck.n_pending} waiting since {stuck.since:%Y-%m-%d %H:%M} UTC"
        why = stuck.fault or "no scheduler has tried"
        fix = "docmill notifications list --unsent; after the fix: docmill notifications retry"
        yield Finding(f"notifications to {stuck.destination}", False, f"{n}: {why}", fix)


def _retention(session: Session) -> Iterator[Finding]:
    """Whether the policy can be read, and whether the jobs from which something was pruned still add up."""
    stored = passes.stored(session)
    if stored is not None:
        try:
            parse(stored.policy, STORED)
        except ValueError as error:
            yield Finding("retention", False, str(error), "docmill retention set FILE")
        else:
            yield Finding(
                "retention", True, f"a policy is set; next pass {stored.next_at:%Y-%m-%d %H:%M} UTC"
            )
    for account in passes.accounts(session, ACCOUNTS):
        if not account.adds_up:
            detail = (
                f"{account.n_there:,} outcomes and {account.n_pruned:,} that were pruned are not its "
                f"{account.n_documents:,} documents"
            )
            yield Finding(f"job {account.job_id}", False, detail, "somebody changed the tables by hand")


def _waiting_chunks(session: Session, served: set[str] | None, now_settings: Settings) -> Iterator[Finding]:
    """Kinds with ready chunks that no worker claims."""
    waiting = (
        select(Chunk.queue, func.count(), func.count(Chunk.sent_at), func.min(Chunk.job_id))
        .join(Job, Job.id == Chunk.job_id)
        .where(Chunk.state == "ready", Job.state == "running", Job.created_at < now(-IDLE_SECONDS))
        .group_by(Chunk.queue)
    )
    for kind, n_ready, n_sent, job_id in session.execute(waiting):
        chunks = f"{n_ready} {'chunk waits' if n_ready == 1 else 'chunks wait'}, the first of job {job_id}"
        if served is None:
            yield Finding(kind, False, f"{chunks}: Redis is unreachable", "fix Redis first")
        elif served and kind not in served:
            fix = f"docmill worker --kinds {kind}"
            yield Finding(kind, False, f"{chunks}: no worker serves this kind", fix)
        elif not served and members.all_drained(session):
            yield Finding(kind, False, f"{chunks}: every worker is drained", members.UNDRAIN)
        elif not served:
            yield Finding(kind, False, f"{chunks}: there is no worker", start_with(now_settings, "worker"))
        elif not n_sent and (why := _held_back(session, kind)):
            yield Finding(kind, True, f"{chunks}: {why}", "docmill limits list")
        elif not n_sent:
            yield members.no_scheduler(session, kind, f"{chunks}: nobody sends them", now_settings)


def _held_back(session: Session, kind: str) -> str | None:
    """The first limit that keeps jobs of a kind from going on, in words."""
    found = (state for state in limits.states(session) if state.reason and state.scope.kind in ("", kind))
    return next((f"{state.scope.words}: {state.reason}" for state in found), None)


def _nobody_moves(session: Session, now_settings: Settings) -> Iterator[Finding]:
    """What a running scheduler would have done long ago."""
    long_ago = now(-IDLE_SECONDS)
    still_open = exists().where(Chunk.job_id == Job.id, Chunk.state != "closed")
    last_closed = select(func.max(Chunk.closed_at)).where(Chunk.job_id == Job.id).scalar_subquery()
    count = select(func.count())
    signs = {
        "leases expired and were not requeued": count.where(
            Chunk.state == "leased", Chunk.lease_until < long_ago
        ),
        "jobs are done and were not finished": count.where(
            Job.state == "running", ~still_open, last_closed < long_ago
        ),
        "schedules are overdue": count.where(
            Schedule.next_at < long_ago, Schedule.removed_at.is_(None), Schedule.paused_at.is_(None)
        ),
    }
    for sign, query in signs.items():
        if n := session.scalar(query):
            yield members.no_scheduler(session, "scheduler", f"{n} {sign}", now_settings)


def _behind_paused(session: Session) -> Iterator[Finding]:
    """Jobs that wait for one that is paused."""
    before = aliased(Job)
    query = (
        select(Job.id, before.id)
        .join(before, before.id == Job.after_job_id)
        .where(Job.state == "waiting", before.state == "paused")
        .order_by(Job.id)
    )
    for job_id, before_id in session.execute(query):
        yield Finding(
            f"job {job_id}",
            True,
            f"waits for job {before_id}, which is paused",
            f"docmill resume {before_id}",
        )


def _faulty_chunks(session: Session) -> Iterator[Finding]:
    """Chunks that failed more than once for reasons other than a document."""
    query = (
        select(Chunk.job_id, Chunk.seq, Chunk.n_put_back, Chunk.n_crashes, Chunk.n_lost, Chunk.fault)
        .where(
            Chunk.state.in_(("ready", "leased")),
            (Chunk.n_put_back > 1) | (Chunk.n_crashes > 1) | (Chunk.n_lost > 1),
        )
        .order_by(Chunk.id)
        .limit(10)
    )
    for row in session.execute(query):
        lost = f", and was lost with its worker {row.n_lost} times" if row.n_lost else ""
        detail = (
            f"chunk {row.seq} failed {row.n_put_back} times and killed {row.n_crashes} workers{lost}; "
            f"last: {row.fault}"
        )
        fix = f"fix the cause, and the job continues by itself; or docmill cancel {row.job_id}"
        yield Finding(f"job {row.job_id}", False, detail, fix)
