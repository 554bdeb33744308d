"""When each step of a scheduler runs: at once when the store was changed, at the time for which something is planned,
again and again while there is work, and otherwise not at all.

One statement (db.agenda) tells for every step when it is due. It is asked when the store has changed, when the next
thing is due, and from time to time, since a change may be missed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from db import agenda
from db.store import Store

#: The pause between two looks at the agenda that no change and no time asked for; and if changes cannot be watched.
SLOW_SECONDS = 5.0
UNWATCHED_SECONDS = 2.0
#: While there is work, the store may change at each commit: it is followed this often.
LOOK_SECONDS = 0.2
#: An idle step looks so often whether the scheduler stops.
STOP_SECONDS = 1.0

#: Which steps an entry of the agenda wakes.
STEPS = {
    "jobs": ("jobs", "redis"),
    "leases": ("reap",),
    "schedules": ("schedules",),
    "nights": ("nights",),
    "notifications": ("notifications",),
    "retention": ("retention",),
    "search": ("search",),
    "batches": ("batches",),
    "growth": ("growth",),
}


class StepTimer:
    """Wakes the steps. Its methods may be called from any thread."""

    def __init__(self, store: Store, stopping: threading.Event) -> None:
        self._store = store
        self._stopping = stopping
        self._changed = threading.Condition()
        self._n_changes = 1
        #: The number of changes at the last look, when it began, and when something is due after it.
        self._seen = 0
        self._began = float("-inf")
        self._until = 0.0
        #: Looks that began.
        self.n_looks = 0
        #: Changes cannot be watched.
        self.is_unwatched = True
        #: The look that found a step due.
        self.due: dict[str, int] = {}

    # --- of changes ----------------------------------------------------------------------------------------------

    def store_changed(self) -> None:
        """The store was changed, or the scheduler stops."""
        with self._changed:
            self._n_changes += 1
            self._changed.notify_all()

    def watches(self, *, can_watch: bool) -> None:
        """Whether changes are noticed, so that slow looks suffice."""
        self.is_unwatched = not can_watch

    # --- of the steps ---------------------------------------------------------------------------------------------

    def wait_until_due(self, step: str) -> int | None:
        """Wait until a step is due; returns what `rest` is to be told, None if the scheduler stops first."""
        with self._changed:
            while not self._stopping.is_set():
                if step in self.due:
                    return self.due[step]
                self._changed.wait(STOP_SECONDS)
        return None

    def rest(self, step: str, look: int) -> None:
        """A step has nothing more to do, unless a later look has found something."""
        with self._changed:
            if self.due.get(step) == look:
                del self.due[step]

    def pause(self, least: float, most: float) -> bool:
        """Pause between two turns of a step: at least and at most for these seconds. Whether a change ended it."""
        with self._changed:
            before = self._n_changes
        self._stopping.wait(least)
        with self._changed:
            return self._changed.wait_for(
                lambda: self._n_changes != before or self._stopping.is_set(), max(0.0, most - least)
            )

    # --- of the one who looks ---------------------------------------------------------------------------------------

    def turn(self) -> bool:
        """Wait until something is due or the store is changed, look at the agenda, and wake the steps that are due.
        If the store cannot be asked, wake them all: each finds out by itself."""
        self._sleep()
        if self._stopping.is_set():
            return False
        with self._changed:
            self.n_looks += 1
            number, self._seen = self.n_looks, self._n_changes
        self._began = time.monotonic()
        try:
            with self._store.look() as session:
                found = agenda.look(session)
        except Exception:
            self._until = 1.0
            self._wake(tuple(STEPS), number)
            raise
        due = {entry: getattr(found, entry) for entry in STEPS}
        self._wake([entry for entry, seconds in due.items() if seconds == 0], number)
        self._until = min((seconds for seconds in due.values() if seconds), default=SLOW_SECONDS)
        return False

    def _sleep(self) -> None:
        """Until something is due or the store changes, but at least until LOOK_SECONDS after the last look."""
        seconds = min(UNWATCHED_SECONDS if self.is_unwatched else SLOW_SECONDS, self._until + 0.01)
        with self._changed:
            self._changed.wait_for(lambda: self._n_changes != self._seen or self._stopping.is_set(), seconds)
        self._stopping.wait(max(0.0, self._began + LOOK_SECONDS - time.monotonic()))

    def _wake(self, entries: Sequence[str], number: int) -> None:
        with self._changed:
            for entry in entries:
                self.due.update(dict.fromkeys(STEPS[entry], number))
            self._changed.notify_all()
