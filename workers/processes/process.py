"""One worker process: its state, how it is told to stop, and how its death becomes known.

A process that is killed from outside cannot write anything any more. So the next process of the same worker reads the
crash file of the dead one, and requeues the chunks that it held.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import secrets
import signal
import time
from dataclasses import dataclass, field
from typing import IO, Any, NoReturn

from db.chunks import Claim, Holder
from db.connections import WORKER_OVERFLOW, WORKER_POOL
from db.database_errors import words
from db.store import Store, is_infrastructure_error, newer_schema
from workers.metrics.recorder import Recorder
from workers.metrics.reporting import Reporter
from workers.processes import crash_reports
from workers.processes.requeue import report_death
from workers.settings import Settings, settings

log = logging.getLogger("docmill.worker")

_PR_SET_PDEATHSIG = 1


@dataclass
class Process:
    """The state of one worker process."""

    settings: Settings
    store: Store
    crash_file: IO[str]
    #: Random, so that no other process, now or later, has the same.
    instance: str = field(default_factory=lambda: f"{settings().instance}.{secrets.token_hex(4)}")
    #: Set by a signal: requeue the chunk after the current batch.
    stopping: bool = False
    #: What this process has learnt about batches, by model (`workers.running.learning`).
    learning: dict[str, Any] = field(default_factory=dict)
    #: What it counts, for the launcher's /metrics.
    reporter: Reporter = field(default_factory=lambda: Reporter(None, "", ""))

    @property
    def name(self) -> str:
        return self.settings.worker_name

    @property
    def metrics(self) -> Recorder:
        return self.reporter.recorder

    @property
    def holder(self) -> Holder:
        """This process, as it claims."""
        return Holder(self.name, self.instance, os.uname().nodename)

    def pause(self, seconds: float) -> None:
        """Do nothing for a while, or until this process is told to stop."""
        until = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < until:
            # A signal ends the sleep in time only if its handler raises, and ours does not.
            time.sleep(0.1)

    def holds(self, claim: Claim | None) -> None:
        """Record the claim that is worked on, for those who find this process dead; None when it is done."""
        crash_reports.record_claim(self.crash_file, (claim.chunk_id, claim.fence) if claim else None)

    def watch(self, seconds: float) -> None:
        """End this process, with a traceback in the crash file, unless called again within `seconds`. The watch runs
        outside the interpreter, so that code which hangs in C cannot delay it."""
        faulthandler.dump_traceback_later(seconds, exit=True, file=self.crash_file)

    def watch_no_more(self) -> None:
        faulthandler.cancel_dump_traceback_later()

    def die(self, why: str) -> NoReturn:
        """End at once, because this process cannot use its device any more. The next process reports why."""
        crash_reports.record(self.crash_file, why)
        os._exit(70)

    def leave(self, status: int = 0) -> NoReturn:
        """End at once, for a reason outside of what was run: no crash is counted."""
        crash_reports.record(self.crash_file, crash_reports.TOLD_TO_STOP)
        os._exit(status)


_process: Process | None = None


def current() -> Process:
    """This process's state, made on first use."""
    global _process
    if _process is None:
        _process = _start()
    return _process


def start() -> None:
    """Called once in a new worker process: sets the signal handlers, and requeues what dead processes of the same
    worker held."""
    process = current()
    signal.signal(signal.SIGUSR2, _on_stop_signal)
    signal.signal(signal.SIGTERM, _on_term)
    _die_with_the_parent()
    faulthandler.enable(file=process.crash_file)
    process.metrics.count("docmill_worker_process_starts_total")
    process.reporter.write(now=True)
    folder = crash_reports.folder_of(process.settings.home_path, process.settings.instance)
    try:
        for dead in crash_reports.dead_in(folder):
            with process.store.write() as session:
                if newer_schema(session):
                    return
                report_death(session, dead, is_witness=dead.parent_pid == os.getppid())
            dead.path.unlink(missing_ok=True)
    except Exception as error:
        # The scheduler requeues the chunks when their lease runs out. The file stays for the next start.
        if not is_infrastructure_error(error):
            raise
        log.warning("cannot reach the store yet: %s", words(error))


def _start() -> Process:
    now = settings()
    instance = f"{now.instance}.{secrets.token_hex(4)}"
    file = crash_reports.open_file(crash_reports.folder_of(now.home_path, now.instance), instance)
    # This does not connect yet: the handlers must be set even if the store is away for a moment.
    folder = crash_reports.folder_of(now.home_path, now.instance) if now.metrics_port else None
    store = Store(now.url, pool_size=WORKER_POOL, max_overflow=WORKER_OVERFLOW)
    return Process(now, store, file, instance, reporter=Reporter(folder, instance, now.device))


def _die_with_the_parent() -> None:
    """Without this, a process whose Celery parent was killed would go on beside the next one, on the same device."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _on_stop_signal(*_: Any) -> None:
    current().stopping = True


def _on_term(*_: Any) -> None:
    """Record why, then die of the signal. The store is not used here: this may be the middle of a write."""
    crash_reports.record(current().crash_file, crash_reports.TOLD_TO_STOP)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
