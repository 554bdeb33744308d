"""A thread that refreshes the rows of this process's workers (or of its scheduler), deletes old rows of lost processes,
and notices when a newer docmill has upgraded the store."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from importlib import metadata
from types import TracebackType
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from db import registry
from db.database_errors import words
from db.registry import Member
from db.store import SCHEMA, Store, newer_schema
from workers.settings import Settings

log = logging.getLogger("docmill.heartbeat")


#: At the end, wait at most this long for the store to take the row away.
LEAVE_SECONDS = 5.0
#: A scheduler has to end within 2 s of SIGTERM, whatever the store does.
SCHEDULER_LEAVE_SECONDS = 0.5


class Heartbeat:
    """Used as a context: registered inside it, gone after it."""

    def __init__(
        self, settings: Settings, members: Sequence[Member], leave_seconds: float = LEAVE_SECONDS
    ) -> None:
        self.members = members
        #: Why nothing may be claimed any more: the store is newer than this code. None if it is not.
        self.outdated: str | None = None
        self._settings = settings
        self._leave_seconds = leave_seconds
        self._on_change: Callable[[], None] = lambda: None
        self._stopping = threading.Event()
        self._is_away = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def on_change(self, call: Callable[[], None]) -> None:
        """Call this, in the heartbeat's thread, whenever `outdated` has changed."""
        self._on_change = call

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(self._leave_seconds)

    def _run(self) -> None:
        # Never slower than leases run out: a short lease is a test's, or an impatient operator's.
        seconds = min(registry.BEAT_SECONDS, self._settings.lease_seconds / 4)
        store = Store(self._settings.url, pool_size=1, max_overflow=0)
        try:
            while True:
                self._survive(store, self._beat)
                if self._stopping.wait(seconds):
                    break
            self._survive(store, self._leave)
        finally:
            store.close()

    def _beat(self, store: Store) -> None:
        with store.write() as session:
            outdated = newer_schema(session)
            registry.beat(session, self.members)
            registry.prune(session)
        if outdated != self.outdated:
            self.outdated = outdated
            self._on_change()

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
        docmill_version=_version(),
        schema_revision=SCHEMA,
    )


def _version() -> str:
    try:
        return metadata.version("docmill")
    except metadata.PackageNotFoundError:
        return "unknown"
