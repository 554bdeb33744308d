"""The store, its models and Redis are lost and restored from a backup that was taken in the middle of the job, while a
worker of the time before is frozen, and wakes in the new one."""

from __future__ import annotations

import shutil
import signal
from contextlib import suppress

import psutil

from tests.faults.stack import Database, Stack
from tests.faults.trial import N_DOCUMENTS, Fault, spread


def restore(stack: Stack, job_id: int) -> int:
    """A backup at one moment, a disaster at a later one."""
    moments = spread(stack, job_id, 4)
    next(moments)
    target = stack.folder / f"backup-{job_id}"
    _docmill(stack, "backup", str(target))
    next(moments, None)
    zombies = [stack.busy_child(), *stack.parents()]
    for zombie in zombies:
        zombie.suspend()
    _kill_all_but(stack, {zombie.pid for zombie in zombies})
    _destroy(stack)
    _docmill(stack, "restore", str(target), "--replace")
    stack.heal()
    for zombie in zombies:
        with suppress(psutil.NoSuchProcess):
            zombie.resume()
    return 1


def _kill_all_but(stack: Stack, spared: set[int]) -> None:
    for process in stack.processes():
        if process.pid not in spared:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
    for part in stack.parts:
        part.wait()


def _destroy(stack: Stack) -> None:
    """What a lost disk takes: the database, the models, and Redis with all its data."""
    shutil.rmtree(stack.home / "models", ignore_errors=True)
    with stack.redis.client() as client:
        client.flushall()
    stack.store.close()
    if stack.store.file is not None:
        stack.store.file.write_bytes(b"no database" * 5_000)
        return
    assert stack.postgres is not None
    # The server is another one: whoever was connected is cut off.
    stack.postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
    )
    stack.postgres.execute("DROP SCHEMA public CASCADE")
    stack.postgres.execute("CREATE SCHEMA public")


def _docmill(stack: Stack, *words: str) -> None:
    said = stack.run(*words)
    assert said.returncode == 0, said.stdout + said.stderr


def stack_of_its_own(database: Database) -> Stack:
    """The frozen workers stay with it to its end."""
    stack = Stack(database)
    stack.start([f"text {i}" for i in range(N_DOCUMENTS)])
    return stack


FAULTS = (
    Fault(
        "store, models and Redis are lost and restored",
        restore,
        harmless=True,
        own_stack=stack_of_its_own,
    ),
)
