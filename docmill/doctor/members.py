"""The checks of registered workers and schedulers: which are lost, share a name, or have another version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import device_faults, registry
from db.registry import Lost
from db.sql import clock
from db.store import SCHEMA
from db.tables import Job
from docmill.doctor.findings import Finding, start_with
from workers.settings import Settings


def findings(session: Session) -> Iterator[Finding]:
    """All findings about them."""
    if schedulers := registry.alive(session, "scheduler"):
        names = ", ".join(f"{one.name} (pid {one.pid})" for one in schedulers)
        yield Finding("schedulers", True, f"{len(schedulers)} registered: {names}")
    yield from _duplicates(session)
    yield from _outdated(session)
    yield from devices_out(session)
    moment = clock(session)
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


def _outdated(session: Session) -> Iterator[Finding]:
    for worker in registry.outdated(session, SCHEMA):
        yield Finding(
            f"{worker.role} {worker.name}",
            False,
            f"is docmill {worker.docmill_version}, which knows schemas up to {worker.schema_revision}; the store is "
            f"at {SCHEMA}: it has stopped working",
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
