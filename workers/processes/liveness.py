"""The heartbeat file of a long-running process: the process touches it while its main loop runs.

It says nothing about other parts: a scheduler is alive while Redis is away or no worker answers. `docmill doctor`
looks at all of them; `docmill alive` reads this file, and is a container's health check.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from workers.settings import Settings

#: A step of the loop may wait this long for a store or a Redis that hangs. After that the process itself is at fault.
MAX_AGE_SECONDS = 90.0
#: The file is touched at most this often.
BEAT_SECONDS = 1.0


class SignOfLife:
    """The heartbeat file of one part: "scheduler" or "worker"."""

    def __init__(self, settings: Settings, part: str) -> None:
        self._path = path_of(settings, part)
        self._beaten_at = float("-inf")

    def beat(self) -> None:
        """Cheap when called often. A full disk does not end the caller: the old file shows the problem."""
        if time.monotonic() - self._beaten_at < BEAT_SECONDS:
            return
        self._beaten_at = time.monotonic()
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path.touch()


def path_of(settings: Settings, part: str) -> Path:
    return settings.home_path / "alive" / part


def age_seconds(settings: Settings, part: str) -> float | None:
    """Since the last heartbeat in this DOCMILL_HOME; None if there never was one."""
    try:
        return max(0.0, time.time() - path_of(settings, part).stat().st_mtime)
    except FileNotFoundError:
        return None
