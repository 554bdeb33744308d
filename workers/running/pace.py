"""Whether this process goes on, told from its own CPU time: slow is not dead, and busy is not yet at work.

A machine that gives a process a tenth of a core stretches every step tenfold, and its CPU time just the same. So a
step is measured in CPU time, and only a process that uses none is judged by the clock.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

#: Of the time that has passed, the least share of one core that is taken for work.
LEAST_SHARE = 0.01


class Pace:
    """What this process does between two heartbeats. Made, asked and used up in any of its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = _cpu_seconds()
        self._moved_at = time.monotonic()
        self._moved = 0.0
        self._spent = 0.0

    def beat(self) -> None:
        """The work itself says that it goes on: what was spent so far is forgiven."""
        with self._lock:
            self._spent, self._moved = 0.0, 0.0
            self._moved_at = time.monotonic()

    def look(self) -> bool:
        """Take the time; whether the process has worked since it last had, by its CPU time. The calling thread's
        own counts for nothing."""
        now, seen = time.monotonic(), _cpu_seconds()
        mine = threading.get_native_id()
        used = [seconds - self._seen.get(thread, 0.0) for thread, seconds in seen.items() if thread != mine]
        with self._lock:
            self._seen = seen
            self._spent += max(used, default=0.0)
            self._moved += sum(used)
            if self._moved < LEAST_SHARE * (now - self._moved_at):
                return False
            self._moved, self._moved_at = 0.0, now
            return True

    @property
    def spent(self) -> float:
        """CPU seconds of the busiest thread since the last heartbeat, as far as `look` has seen. Not of all threads
        together: sixteen would use up a minute in four seconds."""
        return self._spent


def _cpu_seconds() -> dict[int, float]:
    """What each thread of this process, those of libraries too, has used so far."""
    found = {}
    for path in Path("/proc/self/task").iterdir():
        try:
            found[int(path.name)] = time.clock_gettime(_clock_of(int(path.name)))
        except OSError:  # it has just ended
            continue
    return found


def _clock_of(thread: int) -> int:
    """The number of a thread's CPU clock, as pthread_getcpuclockid makes it (clock_getcpuclockid(3), Linux)."""
    return (~thread << 3) | 6
