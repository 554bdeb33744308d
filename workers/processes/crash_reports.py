"""What a worker's processes leave on the disk: a file each, locked as long as the process lives. A file that nobody
locks is the proof of a death, and says what it died of and what it held.

A folder for each launched worker, named by its instance, in $DOCMILL_HOME/instances; in it `launcher` (locked by
the launcher and the Celery process) and a file for each process that runs documents.
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

#: How faulthandler begins when its time has run out.
_HUNG = "Timeout ("
#: What a process leaves that was ended in order (Celery's cold shutdown): its death counts as no crash.
TOLD_TO_STOP = "told to stop"
_HOLDS = "holds "
_LAUNCHER = "launcher"
#: A folder that proves nothing (another boot, or another machine) is kept so long.
KEEP_SECONDS = 7 * 86_400.0


@dataclass(frozen=True)
class Dead:
    """A process that is dead for certain, and its file."""

    path: Path
    #: The instance under which it claimed.
    instance: str
    #: The Celery process that started it.
    parent_pid: int
    #: (chunk, fence) of what it was working on.
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
    """To be kept open as long as the worker lives. It says of which boot of which machine its processes are."""
    lock = (folder / _LAUNCHER).open("w", encoding="utf-8")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # Only now: what can be read here and is not locked was locked once.
    lock.write(_boot())
    lock.flush()
    return lock


def open_file(folder: Path, instance: str) -> IO[str]:
    """The file of this process, locked until it ends."""
    path = folder / f"{instance}.{os.getppid()}.txt"
    file = path.open("a+", encoding="utf-8", errors="replace")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def say_what_is_held(file: IO[str], held: tuple[int, int] | None) -> None:
    """Note (chunk, fence) before the work on it, None after it."""
    os.ftruncate(file.fileno(), 0)
    if held is not None:
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        os.write(file.fileno(), f"{_HOLDS}{held[0]} {held[1]}\n".encode())


def say(file: IO[str], words: str) -> None:
    """Leave a last word. Safe in a signal handler."""
    os.write(file.fileno(), f"{words}\n".encode())


def dead_in(folder: Path) -> Iterator[Dead]:
    """The processes of one worker that are dead."""
    for path in sorted(folder.glob("*.txt")):
        if not _is_locked(path):
            yield _read(path)


def orphans(home: Path) -> Iterator[tuple[str, list[Dead]]]:
    """(instance, its processes) of each worker of this home of which nobody lives any more, on this machine since
    its last boot. To be ended with `forget`."""
    for folder in sorted((home / "instances").glob("*")):
        if not _is_of_this_boot(folder):
            if time.time() - folder.stat().st_mtime > KEEP_SECONDS:
                forget(home, folder.name)
            continue
        if _is_locked(folder / _LAUNCHER):
            continue
        files = list(folder.glob("*.txt"))
        dead = list(dead_in(folder))
        if len(dead) == len(files):
            yield folder.name, dead


def forget(home: Path, launched: str) -> None:
    """Remove what a worker left."""
    shutil.rmtree(home / "instances" / launched, ignore_errors=True)


def _is_of_this_boot(folder: Path) -> bool:
    try:
        return (folder / _LAUNCHER).read_text(encoding="utf-8") == _boot()
    except OSError:
        return False


def _boot() -> str:
    """This boot of this machine. A lock in a shared folder may not be seen from another machine, so that a file
    without one proves nothing there."""
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
    lines = path.read_text(encoding="utf-8", errors="replace").strip("\0 \n").splitlines()
    held = None
    if lines and lines[0].startswith(_HOLDS):
        chunk_id, fence = lines.pop(0).removeprefix(_HOLDS).split()
        held = int(chunk_id), int(fence)
    return Dead(path, instance, int(parent), held, *_cause(lines))


def _cause(lines: list[str]) -> tuple[str, str]:
    """(error code, sentence): a hang, a fatal signal, or nothing was left."""
    if not lines:
        return (
            ErrorCode.POISON,
            "the process was killed from outside; if nobody did it, it may have run out of memory",
        )
    first = lines[0]
    if TOLD_TO_STOP in lines:
        return ErrorCode.POISON, TOLD_TO_STOP
    # The newest thread comes first. The work is done in the oldest one.
    work = "\n".join(lines).rpartition("most recent call first")[2].splitlines()
    at = next((line.strip() for line in work if line.lstrip().startswith("File ")), "")
    if first.startswith(_HUNG):
        return ErrorCode.TIMEOUT, f"the work hung {at}".strip()
    return ErrorCode.POISON, f"{first[:200]} {at}".strip()
