"""One worker process: what it holds for its whole life, how it is asked to stop, how its death is told.

A process that is stopped from outside leaves no chance to write anything; so the next process of the same
worker reads what the last one left in its crash file, and frees the chunks it held.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import secrets
import signal
from dataclasses import dataclass, field
from typing import IO, Any

from sqlalchemy.orm import Session

from db import chunks
from db.chunks import Claim, Holder
from db.database_errors import words
from db.store import Store, is_infrastructure_error, newer_schema
from workers.processes import crash_reports
from workers.processes.crash_reports import Dead
from workers.settings import Settings, settings

log = logging.getLogger("docmill.worker")

_PR_SET_PDEATHSIG = 1
#: Why a worker that was killed as a whole held something.
_KILLED_AS_A_WHOLE = "its worker was killed as a whole, from outside"


@dataclass
class Process:
    """The state of one worker process."""

    settings: Settings
    store: Store
    crash_file: IO[str]
    #: Random: this process, of all that ever ran.
    instance: str = field(default_factory=lambda: f"{settings().instance}.{secrets.token_hex(4)}")
    #: Set by a signal: give the chunk back after the batch that is running.
    stopping: bool = False
    #: Lessons of this process: kind and stage -> documents that went through together at most.
    batch_limits: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.settings.worker_name

    @property
    def holder(self) -> Holder:
        """As it claims."""
        return Holder(self.name, self.instance)

    def holds(self, claim: Claim | None) -> None:
        """Note what is being worked on, for those who find this process dead; None when it is done."""
        crash_reports.say_what_is_held(self.crash_file, (claim.chunk_id, claim.fence) if claim else None)

    def watch(self, seconds: float) -> None:
        """End this process, with a traceback in the crash file, unless called again within `seconds`. Runs
        outside the interpreter, so that code which hangs in C cannot hold it up."""
        faulthandler.dump_traceback_later(seconds, exit=True, file=self.crash_file)

    def watch_no_more(self) -> None:
        faulthandler.cancel_dump_traceback_later()

    def die(self, why: str) -> None:
        """Leave at once (a device that is beyond repair for this process); the next process tells why."""
        crash_reports.say(self.crash_file, why)
        os._exit(70)

    def leave(self) -> None:
        """End at once and in order: nobody counts a crash."""
        crash_reports.say(self.crash_file, crash_reports.TOLD_TO_STOP)
        os._exit(0)


_process: Process | None = None


def current() -> Process:
    """This process's state, made on first use."""
    global _process
    if _process is None:
        _process = _start()
    return _process


def start() -> None:
    """To be called once in a fresh worker process: frees what dead ones of the same worker held."""
    process = current()
    signal.signal(signal.SIGUSR2, _on_stop_signal)
    signal.signal(signal.SIGTERM, _on_term)
    _die_with_the_parent()
    faulthandler.enable(file=process.crash_file)
    folder = crash_reports.folder_of(process.settings.home_path, process.settings.instance)
    try:
        for dead in crash_reports.dead_in(folder):
            with process.store.write() as session:
                if newer_schema(session):
                    return
                bury(session, dead, is_witness=dead.parent_pid == os.getppid())
            dead.path.unlink(missing_ok=True)
    except Exception as error:
        # The scheduler frees them when their lease runs out; the file stays, for the next start.
        if not is_infrastructure_error(error):
            raise
        log.warning("cannot reach the store yet: %s", words(error))


def bury(session: Session, dead: Dead, *, is_witness: bool) -> None:
    """Free what a dead process held. It counts as a crash only for a witness: the worker that started it and
    lived on. A worker that was killed as a whole says nothing about a document."""
    freed: list[int] = []
    if dead.was_told_to_stop:
        chunks.give_back(session, dead.instance)
    elif is_witness:
        freed = chunks.crashed(session, dead.instance, dead.code, dead.detail)
        if not freed and dead.held is not None:
            chunks.crashed_late(session, *dead.held, dead.code, dead.detail)
    else:
        freed = chunks.lost(session, dead.instance, _KILLED_AS_A_WHOLE)
    if freed:
        log.warning("a process before this one died (%s); frees chunks %s", dead.detail, freed)


def _start() -> Process:
    now = settings()
    instance = f"{now.instance}.{secrets.token_hex(4)}"
    file = crash_reports.open_file(crash_reports.folder_of(now.home_path, now.instance), instance)
    # Made without connecting: a store that is away for a moment must not keep the handlers from being set.
    return Process(now, Store(now.url), file, instance)


def _die_with_the_parent() -> None:
    """A process whose Celery worker was killed would go on with its chunk beside the next one's, on one device."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _on_stop_signal(*_: Any) -> None:
    current().stopping = True


def _on_term(*_: Any) -> None:
    """Leave word, then die of the signal. The store is not asked here: this may be the middle of a write."""
    crash_reports.say(current().crash_file, crash_reports.TOLD_TO_STOP)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
