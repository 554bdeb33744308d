"""A machine that gives a process a tenth of a core."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

#: It runs so long, and then stands still for the rest of the period.
RUNS_SECONDS, PERIOD_SECONDS = 0.05, 0.5


@contextmanager
def a_tenth_of_a_core(pids: Sequence[int]) -> Iterator[None]:
    """These processes stand still nine tenths of the time, as a quota of the kernel's makes them do. Unlike a quota it
    needs no rights; at the end they run again."""
    ended = threading.Event()

    def tell(number: signal.Signals) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def pace() -> None:
        while not ended.is_set():
            tell(signal.SIGSTOP)
            ended.wait(PERIOD_SECONDS - RUNS_SECONDS)
            tell(signal.SIGCONT)
            ended.wait(RUNS_SECONDS)

    pacing = threading.Thread(target=pace, name="a tenth of a core")
    pacing.start()
    try:
        yield
    finally:
        ended.set()
        pacing.join()
        tell(signal.SIGCONT)
