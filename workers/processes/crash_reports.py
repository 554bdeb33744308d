"""Crash files: each worker process has one, and locks it as long as it lives. An unlocked file proves that its process
is dead, and says why it died and what it held.

$DOCMILL_HOME/instances has a folder for each launched worker, named by its instance. In it are the file `launcher`
(locked by the launcher and by the Celery process) and a file for each process that runs documents.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from db.states import ErrorCode

#: The first words of faulthandler when its time has run out.
_HUNG = "Timeout ("
#: Written by a process that was told to end (Celery's cold shutdown): its death is not a crash.
TOLD_TO_STOP = "told to stop"
_HOLDS = "holds "
_LAUNCHER = "launcher"
_READY = "ready"
#: A folder that proves nothing (of another boot, or another machine) is kept this long.
KEEP_SECONDS = 7 * 86_400.0


@dataclass(frozen=True)
class Dead:
    """A process that is certainly dead, and its file."""

    path: Path
    #: Its claims name this instance.
    instance: str
    #: The Celery process that started it.
    parent_pid: int
    #: (chunk, fence) of the claim that it was working on.
    held: tuple[int, int] | None
    code: str
    detail: str

    @property
    def was_told_to_stop(self) -> bool:
        return self.detail == TOLD_TO_STOP


def folder_of(home: Path, launched: str) -> Path:
    """The folder of a launched worker, made if it is not there."""
    folder = home / "instances" / launched
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def lock_launcher(folder: Path) -> IO[str]:
    """The launcher's file, locked; the caller keeps it open as long as the worker lives. It names the machine and its
    boot."""
    lock = (folder / _LAUNCHER).open("w", encoding="utf-8")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # Written after locking: a file that has content and no lock was locked once.
    lock.write(_boot())
    lock.flush()
    return lock


def open_file(folder: Path, instance: str) -> IO[str]:
    """The file of this process, locked until it ends."""
    path = folder / f"{instance}.{os.getppid()}.txt"
    file = path.open("a+", encoding="utf-8", errors="replace")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def record_ready(home: Path, launched: str) -> None:
    """This Celery process takes messages from now on."""
    (folder_of(home, launched) / _READY).write_text(str(os.getpid()), encoding="utf-8")


def is_ready(home: Path, launched: str, pid: int) -> bool:
    """Whether the Celery process of this id has begun to take messages."""
    try:
        return (home / "instances" / launched / _READY).read_text(encoding="utf-8") == str(pid)
    except FileNotFoundError:
        return False


def record_claim(file: IO[str], held: tuple[int, int] | None) -> None:
    """Write (chunk, fence) before the work on it, and None after it."""
    os.ftruncate(file.fileno(), 0)
    if held is not None:
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        os.write(file.fileno(), f"{_HOLDS}{held[0]} {held[1]}\n".encode())


def record(file: IO[str], words: str) -> None:
    """Add a line that says why the process ends. Safe in a signal handler."""
    os.write(file.fileno(), f"{words}\n".encode())


def is_alive(folder: Path, instance: str) -> bool:
    """Whether the process of this instance lives."""
    return any(_is_locked(path) for path in folder.glob(f"{instance}.*.txt"))


def dead_in(folder: Path) -> Iterator[Dead]:
    """The dead processes of one worker."""
    for path in sorted(folder.glob("*.txt")):
        if not _is_locked(path):
            yield _read(path)


def orphans(home: Path) -> Iterator[tuple[str, list[Dead]]]:
    """(instance, its processes) of each worker of this home that is dead with its launcher and all its processes, on
    this machine since its last boot. Call `remove` when they are dealt with."""
    for folder in sorted((home / "instances").glob("*")):
        if not _is_of_this_boot(folder):
            if time.time() - folder.stat().st_mtime > KEEP_SECONDS:
                remove(home, folder.name)
            continue
        if _is_locked(folder / _LAUNCHER):
            continue
        files = list(folder.glob("*.txt"))
        dead = list(dead_in(folder))
        if len(dead) == len(files):
            yield folder.name, dead


def remove(home: Path, launched: str) -> None:
    """Remove the files of a worker."""
    shutil.rmtree(home / "instances" / launched, ignore_errors=True)


def _is_of_this_boot(folder: Path) -> bool:
    try:
        return (folder / _LAUNCHER).read_text(encoding="utf-8") == _boot()
    except OSError:
        return False


def _boot() -> str:
    """This boot of this machine. Another machine may not see a lock in a shared folder, so an unlocked file proves
    nothing there."""
    return f"{os.uname().nodename} {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"


def _is_locked(path: Path) -> bool:
    try:
        with path.open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _read(path: Path) -> Dead:
    instance, _, parent = path.stem.rpartition(".")
    return Dead(path, instance, int(parent), *read(path))


def read(path: Path) -> tuple[tuple[int, int] | None, str, str]:
    """((chunk, fence) of what the process held, error code, sentence) from the crash file of a dead process."""
    lines = path.read_text(encoding="utf-8", errors="replace").strip("\0 \n").splitlines()
    held = None
    if lines and lines[0].startswith(_HOLDS):
        chunk_id, fence = lines.pop(0).removeprefix(_HOLDS).split()
        held = int(chunk_id), int(fence)
    return held, *_cause(lines)


def _cause(lines: list[str]) -> tuple[str, str]:
    """(error code, sentence): a hang, a fatal signal, or no trace at all."""
    if not lines:
        return (
            ErrorCode.POISON,
            "the process was killed from outside; if nobody did it, it may have run out of memory",
        )
    first = lines[0]
    if TOLD_TO_STOP in lines:
        return ErrorCode.POISON, TOLD_TO_STOP
    # faulthandler lists the newest thread first. The work is done in the oldest one.
    work = "\n".join(lines).rpartition("most recent call first")[2].splitlines()
    at = next((line.strip() for line in work if line.lstrip().startswith("File ")), "")
    if first.startswith(_HUNG):
        return ErrorCode.TIMEOUT, f"the work hung {at}".strip()
    return ErrorCode.POISON, f"{first[:200]} {at}".strip()
