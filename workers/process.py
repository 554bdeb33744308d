"""One worker process: what it holds for its whole life, how it is asked to stop, how its death is told.

A process that is stopped from outside leaves no chance to write anything; so the next process of the same
worker reads what the last one left in its crash file, and frees the chunks it held.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import re
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from db import chunks
from db.database_errors import words
from db.store import Store, is_infrastructure_error
from workers.settings import Settings, settings

log = logging.getLogger("docmill.worker")

#: How faulthandler begins when its time has run out.
_HUNG = "Timeout ("
#: What a process leaves that was ended in order (Celery's cold shutdown): its death counts as no crash.
_TOLD_TO_STOP = "told to stop"


@dataclass
class Process:
    """The state of one worker process."""

    settings: Settings
    store: Store
    crash_file: IO[str]
    #: Set by a signal: give the chunk back after the batch that is running.
    stopping: bool = False
    #: Lessons of this process: kind and stage -> documents that went through together at most.
    batch_limits: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.settings.worker_name

    def watch(self, seconds: float) -> None:
        """End this process, with a traceback in the crash file, unless called again within `seconds`. Runs
        outside the interpreter, so that code which hangs in C cannot hold it up."""
        faulthandler.dump_traceback_later(seconds, exit=True, file=self.crash_file)

    def watch_no_more(self) -> None:
        faulthandler.cancel_dump_traceback_later()

    def die(self, why: str) -> None:
        """Leave at once (a device that is beyond repair for this process); the next process tells why."""
        self.crash_file.write(why + "\n")
        self.crash_file.flush()
        os._exit(70)


_process: Process | None = None


def current() -> Process:
    """This process's state, made on first use."""
    global _process
    if _process is None:
        _process = _start()
    return _process


def start() -> None:
    """To be called once in a fresh worker process: frees what a dead one of the same name held."""
    process = current()
    signal.signal(signal.SIGUSR2, _on_stop_signal)
    signal.signal(signal.SIGTERM, _on_term)
    code, detail = _last_words(Path(process.crash_file.name))
    process.crash_file.truncate(0)
    faulthandler.enable(file=process.crash_file)
    try:
        with process.store.write() as session:
            if detail == _TOLD_TO_STOP:
                chunks.give_back(session, process.name)
            freed = chunks.crashed(session, process.name, code, detail)
    except Exception as error:
        # The scheduler frees them when their lease runs out.
        if not is_infrastructure_error(error):
            raise
        log.warning("cannot reach the store yet: %s", words(error))
        return
    if freed:
        log.warning("the process before this one died (%s); freed chunks %s", detail, freed)


def _start() -> Process:
    now = settings()
    crashes = now.home_path / "crashes"
    crashes.mkdir(parents=True, exist_ok=True)
    path = crashes / (re.sub(r"[^\w.@-]", "_", now.worker_name) + ".txt")
    # Made without connecting: a store that is away for a moment must not keep the handlers from being set.
    return Process(now, Store(now.url), path.open("a+", encoding="utf-8", errors="replace"))


def _last_words(path: Path) -> tuple[str, str]:
    """(error code, sentence) from what a dead process left: a hang, a fatal signal, or nothing."""
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if not text:
        return (
            "POISON",
            "the process was killed from outside; if nobody did it, it may have run out of memory",
        )
    first = text.splitlines()[0]
    # The newest thread comes first. The work is done in the oldest one.
    work = text.rpartition("most recent call first")[2]
    at = next((line.strip() for line in work.splitlines() if line.lstrip().startswith("File ")), "")
    if first == _TOLD_TO_STOP:
        return "POISON", _TOLD_TO_STOP
    if first.startswith(_HUNG):
        return "TIMEOUT", f"the work hung {at}".strip()
    return "POISON", f"{first[:200]} {at}".strip()


def _on_stop_signal(*_: Any) -> None:
    current().stopping = True


def _on_term(*_: Any) -> None:
    """Leave word, then die of the signal. The store is not asked here: this may be the middle of a write."""
    os.write(current().crash_file.fileno(), f"{_TOLD_TO_STOP}\n".encode())
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
