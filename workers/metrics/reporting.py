"""How the counts of a worker's processes reach their launcher, which serves them: each process writes all its counts to
a file of its own, and replaces it at most once a second.

A process can be killed at any moment. Then its last file stays, whole, and at most the counts of the last second are
lost. The launcher adds the file to its sums when the process is dead, so that no counter ever goes down, and removes
it. A folder belongs to one launched worker (workers.processes.crash_reports).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path

from workers.metrics.recorder import Counts, Recorder
from workers.processes import crash_reports

#: A process writes its counts at most this often.
REPORT_SECONDS = 1.0
_SUFFIX = ".metrics"
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Reporter:
    """Counts in one worker process, and writes them for the launcher if there is one that serves them."""

    def __init__(self, folder: Path | None, instance: str, device: str) -> None:
        self.recorder = Recorder()
        self._path = None if folder is None else folder / f"{instance}{_SUFFIX}"
        self._device = device
        self._written_at = float("-inf")

    def write(self, *, now: bool = False) -> None:
        """Write the counts if the last time was long enough ago; cheap when called often. A full disk does not end the
        work."""
        if self._path is None or (not now and time.monotonic() - self._written_at < REPORT_SECONDS):
            return
        self._written_at = time.monotonic()
        self._measure()
        beside = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            beside.write_text(json.dumps(self.recorder.counts().as_json()), encoding="utf-8")
            beside.rename(self._path)

    def _measure(self) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.recorder.set("docmill_worker_resident_memory_bytes", value=pages * _PAGE)
        if self._device.startswith("cuda") and "torch" in sys.modules:
            import torch

            # Before the first model there is no context, and asking would make one.
            if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
                allocated = torch.cuda.memory_reserved()
                self.recorder.set("docmill_worker_device_allocated_bytes", value=allocated)


class Reports:
    """The counts of all processes of one worker, those that have died included."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._of_dead = Counts()
        self._lock = threading.Lock()

    def counts(self) -> Counts:
        """Their sum at this moment."""
        with self._lock:
            alive = Counts()
            for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
                # Asked first: what a dead process has written is final.
                is_alive = crash_reports.is_alive(self._folder, path.stem)
                found = _read(path)
                if is_alive:
                    alive.add(found)
                    continue
                self._of_dead.add(found, with_gauges=False)
                path.unlink(missing_ok=True)
            alive.add(self._of_dead)
            return alive


def _read(path: Path) -> Counts:
    try:
        return Counts.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return Counts()
