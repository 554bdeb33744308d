"""A thread that refreshes the rows of this process's workers (or of its scheduler), and looks into the store for what
concerns them: whether a newer docmill has upgraded it, and which of them are drained. A scheduler's thread also deletes
old rows of lost processes."""

from __future__ import annotations

import logging
import os
import platform
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from types import TracebackType
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from db import drains, registry
from db.database_errors import words
from db.registry import Member
from db.states import WorkerPhase
from db.store import SCHEMA, Store, newer_schema
from workers.settings import Settings

log = logging.getLogger("docmill.heartbeat")

#: The store is read this often. A drain, and an upgrade of the store, are noticed after this time at the latest.
LOOK_SECONDS = 10.0
#: Each pause is longer or shorter by up to this share, so that workers that started together do not write together.
JITTER = 0.2

#: Old rows of lost processes are deleted this often.
PRUNE_SECONDS = 600.0
#: At the end, wait at most this long for the store to take the row away.
LEAVE_SECONDS = 5.0
#: A scheduler has to end within 2 s of SIGTERM, whatever the store does.
SCHEDULER_LEAVE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Drained:
    """What is said about a worker that is drained."""

    why: str
    #: It ends once it is drained.
    exits: bool


class Heartbeat:
    """Used as a context: registered inside it, gone after it."""

    def __init__(
        self, settings: Settings, members: Sequence[Member], leave_seconds: float = LEAVE_SECONDS
    ) -> None:
        self.members = members
        #: By instance: the members that are drained.
        self.drained: Mapping[str, Drained] = {}
        #: Set once the store was read, or could not be.
        self.has_looked = threading.Event()
        #: Why nothing may be claimed any more: the store is newer than this code. None if it is not.
        self.outdated: str | None = None
        self._settings = settings
        self._leave_seconds = leave_seconds
        self._on_change: Callable[[], None] = lambda: None
        self._phases = {member.instance: member.phase for member in members}
        self._beat_at = float("-inf")
        self._stopping = False
        #: Set when the thread has something to do before its pause is over.
        self._wake = threading.Event()
        self._is_away = False
        self._prune_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def on_change(self, call: Callable[[], None]) -> None:
        """Call this, in the heartbeat's thread, whenever `outdated` has changed."""
        self._on_change = call

    def phase_of(self, instance: str) -> WorkerPhase:
        """The phase that a worker entered last."""
        return self._phases[instance]

    def enters(self, instance: str, phase: WorkerPhase) -> None:
        """A worker is in this phase now. A change is written at once. Cheap when called often."""
        if self._phases.get(instance) != phase:
            self._phases[instance] = phase
            self._beat_at = float("-inf")
            self._wake.set()

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self._wake.set()
        self._thread.join(self._leave_seconds)

    def _run(self) -> None:
        # Never slower than leases run out: a short lease is a test's, or an impatient operator's.
        seconds = min(LOOK_SECONDS, self._settings.lease_seconds / 4)
        store = Store(self._settings.url, pool_size=1, max_overflow=0)
        try:
            while not self._stopping:
                self._survive(store, self._turn)
                self.has_looked.set()
                self._wake.wait(_about(seconds))
                self._wake.clear()
            self._survive(store, self._leave)
        finally:
            store.close()

    def _turn(self, store: Store) -> None:
        """Look, and beat if it is time. A newer store may refuse the beat, so it is looked at first."""
        with store.read() as session:
            outdated = newer_schema(session)
            self.drained = self._look(session)
        if outdated != self.outdated:
            self.outdated = outdated
            self._on_change()
        if time.monotonic() >= self._beat_at:
            beat_at, self._beat_at = self._beat_at, time.monotonic() + _about(registry.BEAT_SECONDS)
            try:
                self._beat(store)
            except BaseException:
                self._beat_at = beat_at
                raise

    def _look(self, session: Session) -> dict[str, Drained]:
        """Which members are drained. Schedulers are not: the others would have to be told to do their work."""
        found: dict[str, Drained] = {}
        workers = [one for one in self.members if one.role == "worker"]
        for drain in drains.listing(session):
            target = drains.target_of(drain)
            for one in workers:
                if target.is_of(one.host, one.name, one.instance):
                    ends = drain.exits and drains.ends(session, one.instance, drain.drained_at)
                    ends |= one.instance in found and found[one.instance].exits
                    found[one.instance] = Drained(f"{target} is drained", ends)
        return found

    def _beat(self, store: Store) -> None:
        members = [replace(one, phase=self._phases.get(one.instance, one.phase)) for one in self.members]
        with store.write() as session:
            registry.beat(session, members)
            if time.monotonic() >= self._prune_at and any(one.role == "scheduler" for one in members):
                registry.prune(session)
                self._prune_at = time.monotonic() + PRUNE_SECONDS

    def _leave(self, store: Store) -> None:
        with store.write() as session:
            registry.leave(session, [member.instance for member in self.members])

    def _survive(self, store: Store, step: Callable[[Store], None]) -> None:
        """If the store fails, the work goes on without being registered. This is logged once."""
        try:
            step(store)
        except SQLAlchemyError as error:
            if not self._is_away:
                log.warning("cannot refresh the registry of workers: %s", words(error))
            self._is_away = True
        else:
            self._is_away = False


def _about(seconds: float) -> float:
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)


class Loop(Protocol):
    """A scheduler's loop, as its heartbeat sees it."""

    stopping: threading.Event

    def run_until_stopped(self) -> bool: ...
    def wait_until_stopped(self) -> None: ...


def run_scheduler(settings: Settings, loop: Loop, told: threading.Event) -> bool:
    """Run a scheduler's loop, registered, until it is `told` to stop; whether every step had ended then. While the
    store is newer than this code the loop rests: it would write rows of an older shape."""
    name = f"scheduler@{os.uname().nodename}"
    row = member("scheduler", name, settings.instance)
    with Heartbeat(settings, [row], SCHEDULER_LEAVE_SECONDS) as beating:
        beating.on_change(loop.stopping.set)
        while not told.is_set():
            loop.stopping.clear()
            # Asked after the clearing: who sets one of these from now on sets `stopping` after it.
            if told.is_set():
                break
            if beating.outdated is None:
                ended = loop.run_until_stopped()
                if told.is_set():
                    return ended
                loop.wait_until_stopped()
                continue
            log.error("%s; this scheduler rests until then", beating.outdated)
            loop.stopping.wait()
    return True


def member(
    role: str, name: str, instance: str, device: str | None = None, kinds: Sequence[str] = ()
) -> Member:
    """This process as a member."""
    return Member(
        instance=instance,
        role=role,
        name=name,
        host=os.uname().nodename,
        pid=os.getpid(),
        device=device,
        kinds=",".join(kinds),
        docmill_version=version(),
        schema_revision=SCHEMA,
        python_version=platform.python_version(),
        torch_version=_version("torch"),
        phase=WorkerPhase.STARTING if role == "worker" else WorkerPhase.RUNNING,
    )


def version() -> str:
    """Of docmill, as it is installed."""
    return _version("docmill") or "unknown"


def _version(package: str) -> str | None:
    """Of an installed package, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
