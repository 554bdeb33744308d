"""Devices that fail are taken out of use, and tried again after a time.

A worker process whose device has failed leaves a note for its launcher (`report`). The launcher stops the worker, says
so in its log and in the store, and lets the device rest. Then a probe tries the device: the worker starts again if that
succeeds, and the device rests twice as long if not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from db import device_faults
from db.device_faults import Fault
from db.registry import Member
from workers.processes import crash_reports, requeue
from workers.processes.probe import Probe
from workers.processes.supervision import Child
from workers.settings import Settings

log = logging.getLogger("docmill.launcher")

_NOTE, _ERRORS = "device-failed", "device-errors"
#: The rest is doubled so often at most.
MOST_DOUBLINGS = 4
#: A device that worked for this long after a failure counts as sound again.
SOUND_SECONDS = 3600.0
#: This number of chunks with errors of the device within these seconds is its own fault, though the probe finds none.
SUSPICIOUS_CHUNKS, SUSPICIOUS_SECONDS = 3, 600.0


def report(home: Path, launched: str, why: str) -> None:
    """Tell the launcher of a worker that its device has failed. The process ends after that."""
    folder = crash_reports.folder_of(home, launched)
    fresh = folder / f"{_NOTE}.new"
    fresh.write_text(why, encoding="utf-8")
    fresh.replace(folder / _NOTE)


def is_suspicious(home: Path, launched: str, chunk_id: int) -> bool:
    """Note an error of the device in a chunk; whether errors in several chunks show that no document is the
    cause."""
    path = crash_reports.folder_of(home, launched) / _ERRORS
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{time.time():.0f} {chunk_id}\n")
    since = time.time() - SUSPICIOUS_SECONDS
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return len({number for moment, number in lines if float(moment) >= since}) >= SUSPICIOUS_CHUNKS


@dataclass
class _Rest:
    """A device that is out."""

    why: str
    n_failures: int
    until: float
    #: A worker that does not end is killed then.
    kill_at: float
    probe: Probe | None = None


class DeviceWatch:
    """The devices of one launcher's workers."""

    def __init__(self, settings: Settings, members: dict[str, Member], models: dict[str, str]) -> None:
        """`members` and `models` (of the devices) by the workers' names."""
        self._settings = settings
        self._members, self._models = members, models
        self._out: dict[str, _Rest] = {}
        self._failures: dict[str, tuple[int, float]] = {}

    def is_out(self, worker: Child) -> bool:
        return worker.name in self._out

    def allows(self, worker: Child) -> bool:
        """Whether this worker may run now. Call it regularly; it waits for nothing."""
        if (why := self._taken_note(worker)) is not None:
            self._take_out(worker, why)
        rest = self._out.get(worker.name)
        if rest is None:
            return True
        if worker.process is not None:
            self._see_it_stop(worker, rest)
            return False
        if time.monotonic() < rest.until:
            return False
        return self._tried(worker, rest)

    def close(self) -> None:
        """The launcher stops: nobody waits for these devices any more."""
        for rest in self._out.values():
            if rest.probe is not None:
                rest.probe.close()
        if self._out:
            self._in_the_store(self._forget([self._members[name].instance for name in self._out]))
        self._out = {}

    def _taken_note(self, worker: Child) -> str | None:
        path = crash_reports.folder_of(self._settings.home_path, self._members[worker.name].instance) / _NOTE
        try:
            why = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        path.unlink()
        return why

    def _take_out(self, worker: Child, why: str) -> None:
        before, at = self._failures.get(worker.name, (0, 0.0))
        n_failures = 1 if time.monotonic() - at > SOUND_SECONDS else before + 1
        self._out[worker.name] = _Rest(why, n_failures, 0.0, time.monotonic() + self._settings.grace_seconds)
        self._rest(worker, self._out[worker.name])
        worker.terminate()

    def _rest(self, worker: Child, rest: _Rest) -> None:
        """Let it rest, and say so."""
        doublings = min(rest.n_failures - 1, MOST_DOUBLINGS)
        seconds = self._settings.device_rest_seconds * 2**doublings
        rest.until, rest.probe = time.monotonic() + seconds, None
        self._failures[worker.name] = (rest.n_failures, time.monotonic())
        member, model = self._members[worker.name], self._models[worker.name]
        log.error(
            "%s is taken out, since its device (%s) has failed: %s. It is tried again in %.0f s",
            worker.name, model, rest.why, seconds,
        )  # fmt: skip
        fault = Fault(member.instance, member.name, member.host, model, rest.why, rest.n_failures)
        self._in_the_store(lambda session: device_faults.report(session, fault, seconds))

    def _see_it_stop(self, worker: Child, rest: _Rest) -> None:
        if worker.is_alive() and time.monotonic() < rest.kill_at:
            return
        worker.wait_or_kill(0)
        worker.process = None
        requeue.give_back(self._settings.url, [self._members[worker.name].instance])

    def _tried(self, worker: Child, rest: _Rest) -> bool:
        if rest.probe is None:
            rest.probe = Probe(worker.environment)
        verdict = rest.probe.verdict()
        if verdict is None:
            return False
        if verdict:
            rest.why, rest.n_failures = verdict, rest.n_failures + 1
            self._rest(worker, rest)
            return False
        log.warning("%s starts again: its device works", worker.name)
        del self._out[worker.name]
        self._in_the_store(self._forget([self._members[worker.name].instance]))
        return True

    def _forget(self, instances: list[str]) -> Callable[[Session], None]:
        return lambda session: device_faults.recovered(session, instances)

    def _in_the_store(self, step: Callable[[Session], None]) -> None:
        requeue.try_in_the_store(self._settings.url, step, "store which devices failed")
