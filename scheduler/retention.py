"""Applying a retention policy: by hand (`docmill retention run`), or as one of the scheduler's steps.

Small transactions. While jobs run, pruning takes a small share of the time only, and waits for no lock for long.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from db.retention import (
    batches,
    chunks,
    exports,
    models,
    nights,
    notifications,
    outcomes,
    passes,
    runs,
    texts,
)
from db.retention.passes import Stored
from db.retention.policy import Policy
from db.retention.policy import parse as parse
from db.retention.steps import Place, Sort, Step, some_job_runs
from db.store import Store, is_lock_timeout
from db.tables import Job
from db.work import Work
from scheduler import removing
from workers import kinds

log = logging.getLogger("docmill.scheduler")

#: Rows of one step: they follow the machine's speed. With fewer than the least, a step's own cost is most of its time,
#: and on a busy machine no smaller step would be a faster one.
_FIRST, _LEAST, _MOST = 2_000, 1_000, 20_000
#: A step should not take longer: others wait for its locks.
STEP_SECONDS = 0.1
#: How long a step waits for rows that somebody else has.
_LOCK_SECONDS = 0.5
#: A removal that began so long ago and has not ended was interrupted.
_ABANDONED_SECONDS = 3_600.0
#: Where the policy of the store comes from, in messages about it.
STORED = "the policy of the store"

#: Called after each step with what was pruned so far.
Tell = Callable[[Counter[str]], None]


def plan(store: Store, policy: Policy, tell: Tell | None = None) -> Counter[str]:
    """What a pass would prune. Changes nothing."""
    with store.read() as session:
        return _together(_steps(policy, partial(_look, session)), tell)


def run(
    store: Store,
    policy: Policy,
    models_path: Path,
    tell: Tell | None = None,
    stopping: threading.Event | None = None,
) -> Counter[str]:
    """Prune what the policy says. After an interruption, the same call prunes the rest."""
    counts: Counter[str] = Counter()
    for step in Pass(store, policy, models_path, stopping or threading.Event()):
        counts += step.counts
        if tell is not None:
            tell(counts)
    return counts


class Pass:
    """One application of a policy: an iterator over its steps, each of which gives way to running jobs."""

    def __init__(self, store: Store, policy: Policy, models_path: Path, stopping: threading.Event) -> None:
        self._store = store
        self._policy = policy
        self._models = models_path
        self._stopping = stopping
        self._limit = _FIRST
        self._number = 0
        self._counts: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Step]:
        with self._store.write() as session:
            number = passes.begin(session)
        self._number = number
        for step in _steps(self._policy, self._prune):
            for folder in step.folders:
                self._delete_folder(folder)
            yield step
            if self._stopping.is_set():
                return
        self._delete_what_is_left()
        removing.sweep(self._store, older_than=_ABANDONED_SECONDS)
        with self._store.write() as session:
            passes.note(session, number, self._counts, ended=True)

    def _prune(self, sort: Sort, after: Place) -> Step:
        while True:
            began = time.monotonic()
            try:
                with self._store.write(lock_seconds=_LOCK_SECONDS) as session:
                    step = sort(session, after, self._limit, really=True)
                    if step.counts:
                        passes.note(session, self._number, self._counts + step.counts)
                    is_busy = some_job_runs(session)
            except Exception as error:
                if not is_lock_timeout(error) or self._stopping.is_set():
                    raise
                self._stopping.wait(_LOCK_SECONDS)
                continue
            self._counts += step.counts
            self._give_way(time.monotonic() - began, is_busy=is_busy)
            return step

    def _give_way(self, seconds: float, *, is_busy: bool) -> None:
        fits = STEP_SECONDS * 0.75 / max(seconds, 0.001)
        self._limit = min(_MOST, max(_LEAST, int(self._limit * min(2.0, max(0.5, fits)))))
        if is_busy:
            self._stopping.wait(seconds * (1 - self._policy.share) / self._policy.share)

    def _delete_what_is_left(self) -> None:
        """Files of versions whose pruning was interrupted."""
        with self._store.read() as session:
            left = models.folders(session)
        for folder in left:
            self._delete_folder(folder)

    def _delete_folder(self, name: str) -> None:
        """The files of a model version that is pruned. Only a folder inside the models folder."""
        root = self._models.resolve()
        folder = (root / name).resolve()
        if root not in folder.parents or not folder.is_dir():
            return
        try:
            shutil.rmtree(folder)
        except OSError as error:
            log.warning("cannot delete the files of a pruned model version in %s: %s", folder, error.strerror)


def _look(session: Session, sort: Sort, after: Place) -> Step:
    return sort(session, after, _MOST, really=False)


def _steps(policy: Policy, take: Callable[[Sort, Place], Step]) -> Iterator[Step]:
    """Every step of every sort of things that the policy names."""
    for sort in _sorts(policy):
        place: Place | None = Place()
        while place is not None:
            step = take(sort, place)
            yield step
            place = step.next


def _work_of(job: Job) -> Work:
    try:
        return kinds.work_of(job)
    except ValueError:  # a kind of a package that is not installed any more
        return Work(job.kind, job.parameters)


def _sorts(policy: Policy) -> Iterator[Sort]:
    """Results first: what follows asks what they still refer to."""
    if policy.outcomes is not None:
        yield outcomes.Outcomes(policy.outcomes, _work_of)
    if policy.chunks is not None:
        yield _of(chunks.step, policy.chunks)
    if policy.models is not None:
        yield _of(models.step, policy.models)
    if policy.models is not None or policy.vectors is not None:
        yield _of(models.vectors_step, models.Rules(policy.vectors, policy.models))
    if policy.documents is not None:
        yield _of(texts.step, policy.documents)
    if policy.nights is not None:
        yield _of(nights.step, policy.nights)
        yield _of(nights.plans_step, policy.nights)
    if policy.notifications is not None:
        yield _of(notifications.step, policy.notifications)
    if policy.exports is not None:
        yield _of(exports.step, policy.exports)
    if policy.batches is not None:
        yield _of(batches.step, policy.batches)
        yield _of(batches.files_step, policy.batches)
    if policy.runs is not None:
        yield _of(runs.step, policy.runs)


def _of(step: Callable[..., Step], rule: object) -> Sort:
    """The step with its rule."""

    def sort(session: Session, after: Place, limit: int, *, really: bool) -> Step:
        return step(session, rule, after, limit, really=really)

    return sort


def _together(steps: Iterator[Step], tell: Tell | None) -> Counter[str]:
    counts: Counter[str] = Counter()
    for step in steps:
        counts += step.counts
        if tell is not None:
            tell(counts)
    return counts


@dataclass
class RetentionTurn:
    """The scheduler's step: a pass when one is due, by whichever scheduler takes it."""

    store: Store
    models_path: Path
    stopping: threading.Event

    def turn(self) -> bool:
        """Apply the stored policy if it is due; whether it was."""
        with self.store.read() as session:
            if not passes.is_due(session):
                return False
        with self.store.write() as session:
            mine = passes.take(session)
        if mine is None:
            return False
        self._apply(mine)
        return True

    def _apply(self, mine: Stored) -> None:
        try:
            policy = parse(mine.policy, STORED)
        except ValueError as error:
            # A newer docmill wrote it; doctor shows it.
            log.error("retention: %s", error)
            with self.store.write() as session:
                passes.done(session, mine, 3_600)
            return
        counts: Counter[str] = Counter()
        renewed = time.monotonic()
        for step in Pass(self.store, policy, self.models_path, self.stopping):
            counts += step.counts
            if time.monotonic() - renewed > passes.BUSY_SECONDS / 4:
                renewed = time.monotonic()
                with self.store.write() as session:
                    if not passes.still_mine(session, mine):
                        return
        with self.store.write() as session:
            passes.done(session, mine, 0 if self.stopping.is_set() else policy.every)
        if counts:
            log.info("retention: pruned %s", ", ".join(f"{n:,} {what}" for what, n in counts.items()))
