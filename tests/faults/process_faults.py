"""Faults of processes: killed, stopped, told to end."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing, suppress

import psutil

from tests.faults.stack import Stack
from tests.faults.trial import BOTH, ON_POSTGRES, Fault, spread
from tests.servers import until


def kill_child(stack: Stack, job_id: int) -> int:
    return sum(_kill(stack.busy_child()) for _ in spread(stack, job_id, 4))


def kill_parent(stack: Stack, job_id: int) -> int:
    return sum(_kill(stack.parents()[i % stack.n_workers]) for i in spread(stack, job_id, 2))


def kill_group(stack: Stack, job_id: int) -> int:
    stack.busy_child()
    stack.kill_everything()
    stack.heal()
    return 1


def kill_scheduler(stack: Stack, job_id: int) -> int:
    n = 0
    for _ in spread(stack, job_id, 3):
        for scheduler in stack.schedulers:
            scheduler.kill()
            scheduler.wait()
            n += 1
        stack.heal()
    return n


def freeze_scheduler(stack: Stack, job_id: int) -> int:
    """Stopped for a while in which another one works, it comes back with what it knew."""
    (old,) = stack.schedulers
    old.send_signal(signal.SIGSTOP)
    stack.start_scheduler()
    _await_progress(stack, job_id, 600)
    old.send_signal(signal.SIGCONT)
    stack.schedulers[1].kill()
    stack.schedulers[1].wait()
    stack.heal()
    return 2


def many_schedulers(stack: Stack, job_id: int) -> int:
    extra = [stack.start_scheduler() for _ in range(2)]
    _await_progress(stack, job_id, 800)
    for scheduler in extra:
        scheduler.kill()
        scheduler.wait()
    stack.heal()
    return len(extra) * 2


def term_launcher(stack: Stack, job_id: int) -> int:
    assert stack.launcher is not None
    stack.busy_child()
    stack.launcher.terminate()
    assert stack.launcher.wait(30) == 0
    stack.heal()
    return 1


def term_parent(stack: Stack, job_id: int) -> int:
    return _tell_parents(stack, job_id, signal.SIGTERM)


def quit_parent(stack: Stack, job_id: int) -> int:
    return _tell_parents(stack, job_id, signal.SIGQUIT)


def zombie(stack: Stack, job_id: int) -> int:
    """A child that sleeps longer than its lease, and wakes up when its chunk is somebody else's."""
    child = until(lambda: _frozen_holder(stack), "a child frozen while it holds a chunk")
    try:
        until(lambda: stack.n_lost(job_id) > 0, "the end of its lease")
        _await_progress(stack, job_id, 100)
    finally:
        with suppress(psutil.NoSuchProcess):
            child.resume()
    return 1


def _frozen_holder(stack: Stack) -> psutil.Process | None:
    """A child that holds a chunk and is in no transaction, frozen; None if it moved on just before."""
    child = stack.busy_child()
    child.suspend()
    if not _has_open_transaction(stack) and child.environ()["DOCMILL_INSTANCE"] in stack.holders():
        return child
    child.resume()
    return None


def _has_open_transaction(stack: Stack) -> bool:
    """Whether somebody (the frozen child: the others go on) stays in a transaction."""
    if stack.database == "postgresql":
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND xact_start < :then"
        )
        ((now,),) = stack.rows("SELECT clock_timestamp()")
        time.sleep(0.3)
        return bool(stack.rows(query, then=now)[0][0])
    with closing(
        sqlite3.connect(str(stack.store.url.database), timeout=1, isolation_level=None)
    ) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
        return False


def _tell_parents(stack: Stack, job_id: int, number: signal.Signals) -> int:
    n = 0
    for _ in spread(stack, job_id, 2):
        # Of a worker that is at work: one that is still starting has no handler for the signal yet.
        parent = stack.busy_child().parent()
        parent.send_signal(number)
        until(lambda parent=parent: not _is_alive(parent), "the end of the worker")  # type: ignore[misc]
        n += 1
    return n


def _await_progress(stack: Stack, job_id: int, n: int) -> None:
    goal = stack.n_done(job_id) + n
    until(lambda: stack.n_done(job_id) >= goal or stack.state(job_id) != "running", f"{n} more documents", 60)


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _kill(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):
        process.kill()
        return 1
    return 0


FAULTS = (
    Fault("kill -9 of a worker's child", kill_child, quick=BOTH),
    Fault("kill -9 of a worker", kill_parent, quick=ON_POSTGRES, harmless=True),
    Fault("kill -9 of a launcher and all it started", kill_group, quick=ON_POSTGRES, harmless=True),
    Fault("kill -9 of the scheduler", kill_scheduler, quick=BOTH, harmless=True),
    Fault("scheduler frozen while another works", freeze_scheduler, harmless=True),
    Fault("three schedulers at once", many_schedulers, harmless=True),
    Fault("TERM of the launcher", term_launcher, quick=ON_POSTGRES, harmless=True),
    Fault("TERM of a worker", term_parent, harmless=True),
    Fault("QUIT of a worker", quit_parent, harmless=True),
    Fault("a child frozen for longer than its lease", zombie, quick=ON_POSTGRES),
)
