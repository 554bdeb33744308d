"""What a busy machine adds to a time that is promised."""

from __future__ import annotations

import os


def at_this_load(seconds: float) -> float:
    """The seconds that something may take where several processes wait for each processor: as many times as long."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
