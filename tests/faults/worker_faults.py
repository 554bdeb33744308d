"""Faults of whole workers: two of one name, a machine lost for good, one of an older version."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import suppress

import psutil

from tests.db.builders import upgraded_to
from tests.faults.stack import Stack
from tests.faults.trial import ON_POSTGRES, ON_SQLITE, Fault, spread
from tests.servers import until


def twins_that_come_and_go(stack: Stack, job_id: int) -> int:
    """Another docmill on this host, with a home of its own: its workers have the names of the stack's."""
    n = 0
    for _ in spread(stack, job_id, 4):
        twin = _another_host(stack)
        if n == 0:
            _assert_doctor_says_so(stack)
        twin.terminate()
        assert twin.wait(60) == 0
        n += 1
    return n


def twins_that_are_killed(stack: Stack, job_id: int) -> int:
    n = 0
    for _ in spread(stack, job_id, 3):
        twin = _another_host(stack)
        _await_a_claim(stack, job_id, twin)
        _kill_all(twin)
        n += 1
    return n


def lose_a_host(stack: Stack, job_id: int) -> int:
    """It holds a chunk, and never comes back."""
    host = _another_host(stack, "lost")
    _await_a_claim(stack, job_id, host)
    _kill_all(host)
    return 1


def upgrade_under_old_workers(stack: Stack, job_id: int) -> int:
    """A newer docmill upgrades the store; the workers and schedulers of this version stop by themselves, and go on
    once they know the schema (which stands here for their own upgrade)."""
    assert stack.launcher is not None
    launcher = psutil.Process(stack.launcher.pid)
    with upgraded_to(stack.store, "9999"):
        until(lambda: not launcher.children(), "the end of the old workers", 60)
        for name in ("worker", "scheduler"):
            until(
                lambda name=name: "is at schema 9999" in stack.log(name), f"word of it in the log of {name}"
            )  # type: ignore[misc]
        done = stack.n_done(job_id)
        assert not stack.rows("SELECT id FROM chunk WHERE state = 'leased'")
        assert launcher.is_running()
        assert not launcher.children(), "it starts none while the store is newer"
        assert stack.n_done(job_id) == done
    stack.heal()
    return 1


def _another_host(stack: Stack, home: str = "twin") -> subprocess.Popen[bytes]:
    """A launcher with a home of its own: all that it shares with the stack's are store, Redis and hostname. Returns
    when its workers are registered and ready."""
    arguments = ("worker", "--devices", f"cpu:{stack.n_workers}", "--kinds", stack.kinds)
    launcher = stack.docmill(*arguments, environment={"DOCMILL_HOME": str(stack.folder / home)})
    process = psutil.Process(launcher.pid)

    def is_ready() -> bool:
        works = [child for child in process.children(recursive=True) if _works(child)]
        return len(works) >= stack.n_workers and len(_instances(stack, launcher)) == stack.n_workers

    until(is_ready, "the workers of another host", 60)
    return launcher


def _works(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any("spawn_main" in word for word in process.cmdline())
    return False


def _instances(stack: Stack, launcher: subprocess.Popen[bytes]) -> set[str]:
    rows = stack.rows("SELECT instance FROM worker WHERE pid = :pid", pid=launcher.pid)
    return {instance for (instance,) in rows}


def _await_a_claim(stack: Stack, job_id: int, launcher: subprocess.Popen[bytes]) -> None:
    until(
        lambda: stack.holders() & _instances(stack, launcher) or stack.state(job_id) != "running",
        "a claim of the other host",
        60,
    )


def _kill_all(launcher: subprocess.Popen[bytes]) -> None:
    process = psutil.Process(launcher.pid)
    for part in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            part.send_signal(signal.SIGKILL)
    launcher.wait()


def _assert_doctor_says_so(stack: Stack) -> None:
    def found() -> list[str]:
        said = json.loads(stack.run("doctor", "--json").stdout)
        return [f["detail"] for f in said if not f["ok"] and "workers have this name at once" in f["detail"]]

    assert len(until(found, "doctor's word on two workers of one name", 60)) == stack.n_workers


FAULTS = (
    Fault(
        "two workers of one name, one comes and goes",
        twins_that_come_and_go,
        quick=ON_SQLITE,
        harmless=True,
        n_documents=12_000,
    ),
    Fault(
        "two workers of one name, one is killed",
        twins_that_are_killed,
        quick=ON_POSTGRES,
        harmless=True,
        n_documents=12_000,
    ),
    Fault("a host lost for good", lose_a_host, harmless=True, n_documents=6_000),
    Fault("workers older than the store", upgrade_under_old_workers, quick=ON_SQLITE, harmless=True),
)
