"""What people do while a job runs: cancel, pause, resume, migrate."""

from __future__ import annotations

from db import jobs
from db.migrations import upgrade
from tests.faults.stack import Stack
from tests.faults.trial import ON_POSTGRES, Fault, spread


def cancel(stack: Stack, job_id: int) -> int:
    for _ in spread(stack, job_id, 2):
        pass
    with stack.store.write() as session:
        jobs.stop(session, job_id, "CANCELLED", "asked for")
    return 1


def pause_and_resume(stack: Stack, job_id: int) -> int:
    n = 0
    for _ in spread(stack, job_id, 15):
        with stack.store.write() as session:
            jobs.pause(session, job_id)
        with stack.store.write() as session:
            jobs.resume(session, job_id)
        n += 2
    return n


def migrate(stack: Stack, job_id: int) -> int:
    n = 0
    for _ in spread(stack, job_id, 5):
        upgrade(stack.store)
        n += 1
    return n


FAULTS = (
    Fault("the job is cancelled", cancel, quick=ON_POSTGRES, harmless=True, cancels=True),
    Fault("the job is paused and resumed", pause_and_resume, harmless=True),
    Fault("migrations while a job runs", migrate, harmless=True),
)
