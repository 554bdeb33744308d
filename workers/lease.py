"""Keeping hold of a chunk: the lease is renewed because work goes on, never by a clock alone."""

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
from workers.process import Process

log = logging.getLogger("docmill.worker")

T = TypeVar("T")

#: What a training says of itself is stored so often at most.
NOTE_SECONDS = 1.0
#: While the store is away, try again so often.
RETRY_SECONDS = 1.0


class StopRequestedError(Exception):
    """This worker was told to stop; the chunk goes back unharmed."""


class Lease:
    """A claim, kept alive by `beat`."""

    def __init__(self, process: Process, claim: Claim) -> None:
        self.process = process
        self.claim = claim
        self.seconds = process.settings.lease_seconds
        self._renewed_at = time.monotonic()
        self._watched_at = 0.0
        self._noted, self._noted_at = "", float("-inf")

    def beat(self, note: str | None = None) -> None:
        """Say that work went on. Cheap when called often. Raises FencedError once the chunk is lost (the job
        was cancelled, another worker has it) and StopRequestedError when this worker is to stop."""
        if self.process.stopping:
            raise StopRequestedError
        moment = time.monotonic()
        if moment - self._watched_at > min(1.0, self.seconds / 10):
            self.process.watch(self.seconds)
            self._watched_at = moment
        is_news = note is not None and note != self._noted and moment - self._noted_at > NOTE_SECONDS
        if is_news or moment - self._renewed_at > self.seconds / 4:
            self._renew(note)
            self._noted, self._noted_at = note or "", moment

    def renewed(self) -> None:
        """A write has just prolonged the lease."""
        self._renewed_at = time.monotonic()

    def _renew(self, note: str | None = None) -> None:
        try:
            with self.process.store.write() as session:
                chunks.renew(session, self.claim, self.seconds, note)
            self.renewed()
        except Exception as error:
            # The work may end before the lease does; if not, its fence keeps it from doing harm.
            if not is_infrastructure_error(error):
                raise
            log.warning("cannot renew the lease of chunk %d: %s", self.claim.chunk_id, words(error))

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Keep the lease while a model is loaded, which knows no batches; for `load_seconds` at most."""
        limit = self.process.settings.load_seconds
        loaded = threading.Event()

        def keep() -> None:
            until = time.monotonic() + limit
            while not loaded.wait(self.seconds / 4) and time.monotonic() < until:
                try:
                    self._renew()
                except FencedError:
                    return

        self.process.watch(limit)
        keeper = threading.Thread(target=keep, name="lease-while-loading", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            loaded.set()
            keeper.join()
            self._watched_at = 0.0
            self.beat()

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
            self.process.watch(self.seconds)
            if self.process.stopping:
                raise StopRequestedError
            time.sleep(RETRY_SECONDS)
