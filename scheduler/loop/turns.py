"""A turn: how long a step may work before it gives way to the others, and how long it may wait for a lock."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from enum import IntEnum

from sqlalchemy.orm import Session

from db.store import Store
from workers.metrics.recorder import Recorder

#: A step ends its turn after this time and goes on in its next turn.
TURN_SECONDS = 0.25
#: A row that another transaction holds for longer (a worker that is frozen inside it) is left for the next turn.
LOCK_SECONDS = 0.5


class Did(IntEnum):
    """What a turn of a step did."""

    #: There is nothing to do, until the store is changed.
    NOTHING = 0
    #: Something goes on that may give it work at any time.
    WATCHED = 1
    WORKED = 2


class Turns:
    """The limits of the steps of one scheduler."""

    def __init__(self, store: Store, stopping: threading.Event) -> None:
        self.store = store
        self.stopping = stopping
        self.seconds = TURN_SECONDS
        #: What the steps count, for /metrics.
        self.metrics = Recorder()

    def begin(self) -> Turn:
        """A turn that begins now."""
        return Turn(self.stopping, time.monotonic() + self.seconds)

    def write(self) -> AbstractContextManager[Session]:
        """A short transaction, which does not wait long for locks."""
        return self.store.write(lock_seconds=LOCK_SECONDS)


class Turn:
    """One turn of one step."""

    def __init__(self, stopping: threading.Event, until: float) -> None:
        self._stopping = stopping
        self._until = until

    def is_over(self) -> bool:
        """Whether the step has to end its turn: its time is up, or the scheduler stops."""
        return self._stopping.is_set() or time.monotonic() >= self._until
