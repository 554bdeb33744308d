"""Whether this process makes progress, judged by its CPU time: a slow process is not dead, and a busy one may be in an
endless loop.

On a machine that gives a process a tenth of a core, every step takes ten times as long, but uses the same CPU time. So
steps are measured in CPU time, and only a process that uses none is judged by the clock.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

#: The smallest share of one core that counts as work.
LEAST_SHARE = 0.01


class Pace:
    """What this process does between two heartbeats. Any of its threads may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = _cpu_seconds()
        self._moved_at = time.monotonic()
        self._moved = 0.0
        self._spent = 0.0

    def beat(self) -> None:
        """The work goes on: the CPU time so far does not count any more."""
        with self._lock:
            self._spent, self._moved = 0.0, 0.0
            self._moved_at = time.monotonic()

    def look(self) -> bool:
        """Measure; whether the process has used CPU time since the last time it had. The calling thread's own CPU time
        does not count."""
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
