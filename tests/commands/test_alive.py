"""docmill alive looks at one process's own loop, and at nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from db.migrations import upgrade
from db.store import Store
from tests.commands.conftest import Shell
from tests.commands.test_up_anywhere import DOCMILL
from tests.servers import until
from workers.processes import liveness
from workers.processes.liveness import SignOfLife, path_of
from workers.settings import settings


@pytest.fixture
def quick_to_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "MAX_AGE_SECONDS", 3.0)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A store that is there, and no Redis."""
    store = Store(settings().url)
    upgrade(store)
    store.close()
    monkeypatch.setenv("DOCMILL_REDIS_URL", f"unix://{tmp_path}/nobody")


def start(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [DOCMILL, *words], env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.mark.parametrize("part", ["scheduler", "worker"])
def test_nothing_that_ever_ran_is_not_alive(shell: Shell, part: str) -> None:
    assert f"{part}: none has run in" in shell("alive", part, status=1).out


@pytest.mark.parametrize("part", ["scheduler", "worker"])
def test_an_old_sign_of_life_is_none(shell: Shell, part: str) -> None:
    SignOfLife(settings(), part).beat()
    assert f"{part}: alive, last heartbeat" in shell("alive", part).out
    path = path_of(settings(), part)
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 91))
    assert "NOT ALIVE, last heartbeat 9" in shell("alive", part, status=1).out


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.usefixtures("away", "quick_to_doubt")
def test_a_scheduler_without_redis_and_workers_is_alive_until_it_hangs(shell: Shell) -> None:
    with start("scheduler") as scheduler:
        try:
            path = path_of(settings(), "scheduler")
            until(path.exists, "a sign of life")
            before = path.stat().st_mtime
            until(lambda: path.stat().st_mtime > before + 3, "further signs of life")
            shell("alive", "scheduler")
            scheduler.send_signal(signal.SIGSTOP)
            until(lambda: (liveness.age_seconds(settings(), "scheduler") or 0) > 3, "the sign of life is old")
            shell("alive", "scheduler", status=1)
        finally:
            scheduler.send_signal(signal.SIGCONT)
            scheduler.terminate()


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.usefixtures("away", "quick_to_doubt")
def test_a_worker_whose_process_keeps_dying_is_not_alive(shell: Shell) -> None:
    with start("worker", "--devices", "cpu:1") as worker:
        try:
            path = path_of(settings(), "worker")
            until(path.exists, "a sign of life")

            def die_again() -> bool:
                for child in psutil.Process(worker.pid).children():
                    child.kill()
                return (liveness.age_seconds(settings(), "worker") or 0) > 3

            until(die_again, "the sign of life is old")
            shell("alive", "worker", status=1)
        finally:
            worker.terminate()
