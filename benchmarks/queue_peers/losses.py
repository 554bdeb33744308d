"""What became of the documents of a trial. Knows nothing of queues and processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """The state of a trial at one time.

    Attributes:
        written: the document of each committed write of a result.
        held: documents that the queue still holds, waiting, running or to be tried again.
        runs: the document of each run.
    """

    written: Sequence[int]
    held: Collection[int]
    runs: Sequence[int] = ()


@dataclass(frozen=True)
class Losses:
    """Of healthy documents, but for the last two.

    Attributes:
        documents: how many there are.
        lost: without a result when the time was over.
        stuck: those of them that the queue still holds.
        given_up: those of them that it does not hold: failed for good, or forgotten.
        twice: with more than one committed result.
        run_again: with more than one run; work is repeated, whether or not the result is.
        seconds: from the end of the fault until the last result, or until the time was over.
        planted_runs: runs of the document that fails on purpose.
        planted_held: whether the queue still holds that document.
    """

    documents: int
    lost: int
    stuck: int
    given_up: int
    twice: int
    run_again: int
    seconds: float = 0.0
    planted_runs: int = 0
    planted_held: bool = False


def count(documents: Collection[int], seen: Seen, planted: int = 0, seconds: float = 0.0) -> Losses:
    """What was lost of these documents; `planted` is the one that fails on purpose, 0 if none does."""
    healthy = set(documents) - {planted}
    missing = healthy - set(seen.written)
    stuck = missing & set(seen.held)
    runs = Counter(seen.runs)
    return Losses(
        documents=len(healthy),
        lost=len(missing),
        stuck=len(stuck),
        given_up=len(missing - stuck),
        twice=sum(n > 1 for document, n in Counter(seen.written).items() if document in healthy),
        run_again=sum(n > 1 for document, n in runs.items() if document in healthy),
        seconds=seconds,
        planted_runs=runs[planted] if planted else 0,
        planted_held=planted in seen.held,
    )


def settle(
    look: Callable[[], Seen],
    clock: Callable[[], float],
    wait: Callable[[], None],
    *,
    patience: float,
    quiet: float,
) -> tuple[Seen, float]:
    """The last state, and the seconds until the last change of the results.

    Looks until the queue has held nothing, and nothing has been written, for `quiet` seconds, or until `patience` is
    over.
    """
    began = changed = busy = clock()
    seen = look()
    while True:
        wait()
        before, seen, now = seen, look(), clock()
        if len(seen.written) != len(before.written):
            changed = busy = now
        elif seen.held:
            busy = now
        if now - busy >= quiet or now - began >= patience:
            return seen, changed - began
