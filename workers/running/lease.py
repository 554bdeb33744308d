"""Keeping the lease of a chunk: it is renewed because the work goes on, never just because time passes.

The work sends heartbeats (`beat`). Between two of them, inside a single long call, the keeper thread checks whether the
process uses CPU time, and renews the lease while it does. But a step that has used `lease_seconds` of CPU time without
a heartbeat is a busy loop, and a process that uses no CPU time hangs. Both are ended with a traceback.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from db import chunks
from db.chunks import Claim
from db.database_errors import words
from db.errors import FencedError
from db.store import is_infrastructure_error
from workers.processes.log_context import carried
from workers.processes.process import Process
from workers.running.pace import Pace

log = logging.getLogger("docmill.worker")

T = TypeVar("T")

#: A training's progress is stored at most this often.
NOTE_SECONDS = 1.0
#: The pause between two tries while the store is away.
RETRY_SECONDS = 1.0
#: The pause between two checks of the keeper. It renews a little later than a heartbeat would, so that the heartbeat
#: nearly always comes first.
LOOK_SECONDS = 0.5
BY_BEAT, BY_KEEPER = 1 / 4, 1 / 3
#: The time that faulthandler is given, to end the process at once.
AT_ONCE = 0.01


class StopRequestedError(Exception):
    """This worker was told to stop; the chunk is given back."""


class Lease:
    """A claim, kept alive by `beat`, and between beats by `kept`."""

    def __init__(self, process: Process, claim: Claim) -> None:
        self.process = process
        self.claim = claim
        self.seconds = process.settings.lease_seconds
        self._pace = Pace()
        #: CPU seconds that a step may use without a beat.
        self._limit = self.seconds
        #: A model is being loaded until then: a disk may be slow, and reading it uses no CPU time.
        self._loads_until = float("-inf")
        self._renewed_at = time.monotonic()
        self._watched_at = float("-inf")
        self._noted, self._noted_at = "", float("-inf")
        self._lost: FencedError | None = None
        #: Held while the chunk is written to.
        self._writes = threading.Lock()

    def beat(self, note: str | None = None) -> None:
        """Send a heartbeat: the work goes on. Cheap when called often. Raises FencedError once the chunk is lost (the
        job was cancelled, or another worker has it) and StopRequestedError when this worker has to stop."""
        if self.process.stopping:
            raise StopRequestedError
        if self._lost is not None:
            raise self._lost
        moment = time.monotonic()
        self.process.reporter.write()
        self._pace.beat()
        self._watch(self.seconds)
        is_news = note is not None and note != self._noted and moment - self._noted_at > NOTE_SECONDS
        if is_news or self._is_due(BY_BEAT):
            self._renew(note)
            self._noted, self._noted_at = note or "", moment

    def renewed(self) -> None:
        """A write has just extended the lease."""
        self._renewed_at = time.monotonic()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the lease during work that sends no heartbeats, while it uses CPU time."""
        ended = threading.Event()
        keeper = threading.Thread(target=carried(self._keep), args=(ended,), name="lease", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()
            self.process.watch_no_more()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Keep the lease while a model is loaded, which may wait for a disk: at most `load_seconds`."""
        self._limit = limit = self.process.settings.load_seconds
        self._loads_until = time.monotonic() + limit
        self._pace.beat()
        self.process.watch(limit)
        try:
            yield
        finally:
            self._limit, self._loads_until = self.seconds, float("-inf")
            self._watched_at = float("-inf")
            self.beat()

    def _keep(self, ended: threading.Event) -> None:
        while not ended.wait(min(LOOK_SECONDS, self.seconds / 10)):
            goes_on = self._pace.look()
            if self._pace.spent > self._limit:
                self.process.watch(AT_ONCE)
                return
            is_loading = time.monotonic() < self._loads_until
            if goes_on:
                self._watch(self._limit)
            if (goes_on or is_loading) and self._is_due(BY_KEEPER) and self._lost is None:
                self._renew_beside_the_work()

    def _renew_beside_the_work(self) -> None:
        """Runs in the keeper thread. While the work itself writes, nobody takes the chunk away, and waiting for its
        transaction would keep the keeper from checking."""
        if not self._writes.acquire(blocking=False):
            return
        try:
            self._renew()
        except FencedError as error:
            self._lost = error
        finally:
            self._writes.release()

    def _is_due(self, share: float) -> bool:
        return time.monotonic() - self._renewed_at > self.seconds * share

    def _watch(self, seconds: float) -> None:
        """Have the process ended after `seconds` with neither a heartbeat nor CPU time."""
        moment = time.monotonic()
        if moment - self._watched_at > min(1.0, self.seconds / 10):
            self.process.watch(seconds)
            self._watched_at = moment

    def _renew(self, note: str | None = None) -> None:
        try:
            with self.process.store.write() as session:
                chunks.renew(session, self.claim, self.seconds, note)
            self.renewed()
        except Exception as error:
            # The work may end before the lease does. If not, the fence keeps it from doing harm.
            if not is_infrastructure_error(error):
                raise
            log.warning("cannot renew the lease of chunk %d: %s", self.claim.chunk_id, words(error))

    def insist_on_writing(self, step: Callable[[], T]) -> T:
        """As `insist`, for a transaction that holds the chunk's row."""

        def write() -> T:
            with self._writes:
                return step()

        return self.insist(write)

    def insist(self, step: Callable[[], T]) -> T:
        """Run a transaction; while the store is away, run it again until it is back. The step must be able to
        find its own work done, since a connection can break after the commit. Raises StopRequestedError."""
        while True:
            try:
                return step()
            except Exception as error:
                if not is_infrastructure_error(error):
                    raise
                log.warning("the store is away, trying again: %s", words(error))
            self._pace.beat()
            self.process.watch(self.seconds)
            if self.process.stopping:
                raise StopRequestedError
            time.sleep(RETRY_SECONDS)
