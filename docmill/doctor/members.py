"""The checks of registered workers and schedulers: which are lost, drained, share a name, or have another version; and
which of them answer in one place only."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import compatibility, device_faults, drains, registry
from db.registry import Listed, Lost
from db.sql import clock
from db.tables import Job
from docmill.doctor.findings import Finding, start_with
from workers.settings import Settings

#: A drain that is older than this may have been forgotten.
FORGOTTEN_SECONDS = 86_400.0
#: Versions that differ are an upgrade that goes on; after this time they are a problem.
UPGRADE_SECONDS = 3_600.0
#: A worker that started less than this long ago may not be registered yet, or not answer yet.
SETTLED_SECONDS = 60.0
UNDRAIN = "docmill workers; docmill workers undrain HOST"
_VERSIONS = {"docmill": "docmill_version", "Python": "python_version", "torch": "torch_version"}


def findings(session: Session, answering: Collection[str] | None = None) -> Iterator[Finding]:
    """All findings about them. `answering` are the names of the workers that answer through Redis; None if it cannot
    be asked."""
    if schedulers := registry.alive(session, "scheduler"):
        names = ", ".join(f"{one.name} (pid {one.pid})" for one in schedulers)
        yield Finding("schedulers", True, f"{len(schedulers)} registered: {names}")
    yield from _duplicates(session)
    yield from _outdated(session)
    yield from devices_out(session)
    moment = clock(session)
    listed = [one for one in registry.listing(session) if not one.is_gone]
    yield from _versions(listed, moment)
    yield from _drains(session, moment)
    if answering is not None:
        yield from _in_one_place(listed, answering, moment)
    for lost in registry.lost(session):
        yield _lost(lost, moment)


def devices_out(session: Session) -> Iterator[Finding]:
    """Devices that failed, and rest until they are tried again."""
    for one in device_faults.out(session):
        times = "" if one.n_failures == 1 else f" ({one.n_failures} failures in a row)"
        yield Finding(
            f"device of {one.worker}",
            False,
            f"{one.model} has failed and is taken out{times}: {one.fault}; it is tried again at "
            f"{one.retry_at:%H:%M:%S} UTC",
            f"on {one.host}: nvidia-smi -q, and dmesg | grep -i xid. Its worker starts again once the device works",
        )


def no_scheduler(session: Session, what: str, sign: str, now_settings: Settings) -> Finding:
    """A finding about work that a scheduler should have done by now."""
    alive = registry.alive(session, "scheduler")
    if not alive:
        return Finding(what, False, f"{sign}: no scheduler is running", start_with(now_settings, "scheduler"))
    busy = session.scalar(select(func.min(Job.id)).where(Job.state == "cancelling"))
    doing = f"is cancelling job {busy}" if busy else "is behind, or cannot do it"
    return Finding(what, False, f"{sign}: {alive[0].name} runs and {doing}", "see the scheduler's log")


def _duplicates(session: Session) -> Iterator[Finding]:
    for name, processes in registry.duplicates(session):
        where = ", ".join(f"pid {pid} on {host}" for host, pid in processes)
        yield Finding(
            f"worker {name}",
            False,
            f"{len(processes)} workers have this name at once ({where}): nothing is lost, but they cannot be told "
            "apart",
            "give each machine or container its own hostname, and each docmill its own DOCMILL_HOME",
        )


def all_drained(session: Session) -> bool:
    """Whether there are workers, and all of them are drained."""
    there = [one for one in registry.listing(session) if one.role == "worker" and not one.is_gone]
    return bool(there) and all(one.drained_at is not None for one in there)


def _versions(listed: list[Listed], moment: datetime) -> Iterator[Finding]:
    """Results may depend on the version that made them."""
    newest = max((one.started_at for one in listed), default=moment)
    is_upgrade = (moment - newest).total_seconds() < UPGRADE_SECONDS
    for what, column in _VERSIONS.items():
        found: dict[str, list[str]] = {}
        for one in listed:
            version: str | None = getattr(one, column)
            if version is not None:
                # Builds of one version for other devices: 2.13.0+cpu.
                found.setdefault(version.partition("+")[0], []).append(one.name)
        if len(found) > 1:
            each = "; ".join(f"{version}: {_some(names)}" for version, names in sorted(found.items()))
            fix = "install the same version everywhere"
            yield Finding(f"versions of {what}", is_upgrade, each, None if is_upgrade else fix)


def _drains(session: Session, moment: datetime) -> Iterator[Finding]:
    for drain in drains.listing(session):
        hours = (moment - drain.drained_at).total_seconds() / 3600
        by = f" by {drain.drained_by}" if drain.drained_by else ""
        yield Finding(
            str(drains.target_of(drain)),
            hours * 3600 < FORGOTTEN_SECONDS,
            f"drained since {drain.drained_at:%Y-%m-%d %H:%M} UTC, {hours:.1f} hours ago{by}: its workers claim "
            "nothing",
            f"docmill workers undrain {drain.target}",
        )


def _in_one_place(listed: list[Listed], answering: Collection[str], moment: datetime) -> Iterator[Finding]:
    """Workers that reach the store and not Redis, or Redis and not the store."""
    registered = {one.name for one in listed if one.role == "worker"}
    for name in sorted(set(answering) - registered):
        detail = "answers through Redis and is not registered in this store: it cannot reach the store, or has another"
        fix = "compare DOCMILL_DATABASE_URL there with this one, and see that worker's log"
        yield Finding(f"worker {name}", False, detail, fix)
    for one in listed:
        is_settled = (moment - one.started_at).total_seconds() > SETTLED_SECONDS
        is_silent = one.state in ("starting", "idle") and one.name not in answering
        if one.role == "worker" and is_settled and is_silent:
            detail = f"is registered ({one.state}) and does not answer through Redis: it gets no messages"
            fix = f"compare DOCMILL_REDIS_URL on {one.host} with this one, and see that worker's log"
            yield Finding(f"worker {one.name}", False, detail, fix)


def _some(names: list[str]) -> str:
    first = ", ".join(sorted(names)[:3])
    return f"{first} and {len(names) - 3} more" if len(names) > 3 else first


def _outdated(session: Session) -> Iterator[Finding]:
    schema, _ = compatibility.stored(session)
    for worker in registry.outdated(session):
        yield Finding(
            f"{worker.role} {worker.name}",
            False,
            f"is docmill {worker.docmill_version}, which knows schemas up to {worker.schema_revision}; the store is "
            f"at {schema}: it has stopped working",
            f"install this docmill on {worker.host} and start it again",
        )


def _lost(lost: Lost, moment: datetime) -> Finding:
    minutes = (moment - lost.last_seen_at).total_seconds() / 60
    since = f"{lost.last_seen_at:%Y-%m-%d %H:%M:%S} UTC, {minutes:.0f} minutes ago"
    hours = registry.FORGET_SECONDS / 3600
    return Finding(
        f"{lost.role} {lost.name}",
        False,
        f"lost: pid {lost.pid} on {lost.host} was last seen at {since}; {_held(lost)}",
        f"check that {lost.host} runs and reaches the store; if it was removed on purpose, it is forgotten after "
        f"{hours:.0f} hours",
    )


def _held(lost: Lost) -> str:
    if not lost.n_held:
        return "it held nothing"
    first = ", ".join(f"chunk {seq} of job {job_id}" for job_id, seq in lost.held)
    more = f" and {lost.n_held - len(lost.held)} more" if lost.n_held > len(lost.held) else ""
    return f"it held {first}{more}"
