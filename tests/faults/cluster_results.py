"""What the trials of a cluster print: a table for people, and a line of JSON. The pauses in it are watched here too."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.store import Store
from tests.faults.stack import Stack
from tests.faults.trial import Row


@dataclass(frozen=True)
class Trial:
    """What a trial found."""

    row: Row
    pause_seconds: float
    #: Of maintenance.
    took_seconds: float | None


#: How much is done, and how many jobs run.
_PROGRESS = text(
    "SELECT COALESCE((SELECT SUM(n_ok + n_error) FROM chunk), 0), (SELECT COUNT(*) FROM job WHERE state = 'running')"
)


@dataclass
class Pauses:
    """The longest time in which no outcome was written while a job ran."""

    longest: float = 0.0
    stopping: threading.Event = field(default_factory=threading.Event)

    def watch(self, url: str) -> None:
        """Look several times a second, until told to stop. While the store is away, nothing is written."""
        store = Store(url, pool_size=1)
        seen, since = -1, time.monotonic()
        while not self.stopping.wait(0.1):
            n_done, n_running = seen, 1
            with suppress(DBAPIError), store.read() as session:
                n_done, n_running = session.execute(_PROGRESS).one()
            if n_done != seen or not n_running:
                seen, since = n_done, time.monotonic()
            self.longest = max(self.longest, time.monotonic() - since)
        store.close()


@contextmanager
def watching(stack: Stack) -> Iterator[Pauses]:
    """The pauses of a stack's jobs."""
    pauses = Pauses()
    thread = threading.Thread(target=pauses.watch, args=(stack.url,), name="pauses")
    thread.start()
    try:
        yield pauses
    finally:
        pauses.stopping.set()
        thread.join()


def show(trials: Sequence[Trial]) -> None:
    table = Table(title="Three hosts, two workers, leases of 5 s")
    for name in (
        "fault",
        "documents",
        "lost",
        "unexpected",
        "duplicated",
        "wrong",
        "other",
        "pause s",
        "recovery s",
        "took s",
    ):
        table.add_column(name, justify="left" if name == "fault" else "right")
    table.add_column("complaint")
    for trial in trials:
        row, found = trial.row, trial.row.findings
        other = found.miscounted + found.stuck + found.missing_jobs
        numbers = (row.n_documents, found.lost, found.unexpected, found.duplicated, found.wrong, other)
        seconds = (trial.pause_seconds, row.recovery_seconds, trial.took_seconds)
        shown = ("-" if each is None else f"{each:.1f}" for each in seconds)
        table.add_row(row.fault, *map(str, numbers), *shown, row.complaint)
    Console(width=160).print(table)


def figures(trials: Sequence[Trial]) -> dict[str, object]:
    found = {trial.row.fault: _seconds(trial) for trial in trials}
    n_bad = sum(not trial.row.is_clean for trial in trials)
    return {"figures": found, "bars": {"trials that are not clean": {"value": n_bad, "at_most": 0}}}


def _seconds(trial: Trial) -> dict[str, float]:
    found = {"pause": trial.pause_seconds, "recovery": trial.row.recovery_seconds, "took": trial.took_seconds}
    return {f"{name}_seconds": round(each, 1) for name, each in found.items() if each is not None}
