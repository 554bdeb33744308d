"""A turn of the scheduler: each night that has not ended gets its next steps. Any scheduler may do it, and one that
dies in the middle is followed by another."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import jobs, runs
from db.errors import ConflictError, StoreError
from db.nights import plans, running
from db.sql import clock
from db.states import (
    ENDED,
    PASSING,
    STEP_ENDED,
    UNFINISHED,
    ErrorCode,
    JobState,
    NightState,
    OutcomeState,
    StepState,
)
from db.store import Store, is_infrastructure_error
from db.tables import Night, NightStep, Outcome
from scheduler.nights import applying, planning, reading, submitting
from scheduler.nights.actions import ACTIONS, Setting, StoppedError
from scheduler.nights.definition import seconds_of
from scheduler.nights.reading import NightFile
from scheduler.nights.steps import Step
from scheduler.nights.submitting import NothingToDo

log = logging.getLogger("docmill.scheduler")

_FAILED = (StepState.FAILED, StepState.CANCELLED, StepState.CARRIED_OVER)


class NightMover:
    """Moves nights on."""

    def __init__(
        self, store: Store, holder: str, stopping: threading.Event, hold_seconds: float = 30.0
    ) -> None:
        self._store = store
        self._holder = holder
        #: For so long a night waits for a scheduler that has died.
        self._hold_seconds = hold_seconds
        self._stopping = stopping
        self._files: dict[int, NightFile] = {}

    def move(self) -> bool:
        """One turn; whether there are nights that have not ended."""
        with self._store.read() as session:
            found = running.to_advance(session, self._holder)
        for night_id in found:
            if self._stopping.is_set():
                break
            if self._hold(night_id):
                self._survive(night_id)
        return bool(found)

    def _hold(self, night_id: int) -> bool:
        """Take a night, or keep it; False if another scheduler has it."""
        with self._store.read() as session:
            if running.is_held(session, night_id, self._holder, self._hold_seconds / 2):
                return True
        with self._store.write() as session:
            return running.hold(session, night_id, self._holder, self._hold_seconds)

    def _survive(self, night_id: int) -> None:
        try:
            self._advance(night_id)
        except StoppedError:
            self._let_go(night_id)
        except Exception as error:
            if is_infrastructure_error(error):
                raise
            log.exception("night %d cannot go on", night_id)
            self._end(night_id, NightState.FAILED, f"it cannot go on: {error}")

    def _let_go(self, night_id: int) -> None:
        with self._store.write() as session:
            running.let_go(session, night_id, self._holder)

    def _advance(self, night_id: int) -> None:
        with self._store.read() as session:
            night = running.by_id(session, night_id)
            is_replaced = running.is_replaced(session, night)
            session.expunge(night)
        if is_replaced:
            with self._store.write() as session, suppress(ConflictError):
                cancel(session, night.id, "a later night replaces it")
            return
        file = self._file(night)
        if night.state == NightState.PLANNING:
            self._plan(night, file)
            return
        if night.state == NightState.RUNNING and self._is_over(night):
            with self._store.write() as session:
                running.stop(session, night.id, "its time is over")
            night.state = NightState.STOPPING
        while self._some_steps(night, file):
            pass
        self._end_if_over(night)

    def _file(self, night: Night) -> NightFile:
        if night.id not in self._files:
            self._files = {night.id: reading.parse(night.file, Path(night.folder))}
        return self._files[night.id]

    def _plan(self, night: Night, file: NightFile) -> None:
        """planning -> running."""
        try:
            found = applying.look(self._store, file, self._beat(night))
            with self._store.write() as session:
                plan = plans.store(session, planning.make(session, file, found))
                running.planned(session, night.id, plan.id, applying.new_steps(file))
        except (StoreError, ValueError, OSError) as error:
            if is_infrastructure_error(error):
                raise
            self._end(night.id, NightState.FAILED, f"it cannot be planned: {error}")

    def _is_over(self, night: Night) -> bool:
        if night.finish_by is None:
            return False
        with self._store.read() as session:
            return clock(session) >= night.finish_by

    # --- steps ------------------------------------------------------------------------------------------------------

    def _some_steps(self, night: Night, file: NightFile) -> bool:
        """Move every step on that can be; whether one was, so that others may be able to now."""
        with self._store.read() as session:
            rows = running.steps_of(session, night.id)
            session.expunge_all()
        by_number = {row.step: row for row in rows}
        has_moved = False
        for step in file.steps:
            if self._stopping.is_set():
                raise StoppedError
            row = by_number[step.number]
            if row.state == StepState.RUNNING:
                has_moved |= self._watch(night, step, row)
            elif row.state == StepState.WAITING and self._may_start(night, step, rows):
                has_moved |= self._start(night, file, step, by_number)
        return has_moved

    def _may_start(self, night: Night, step: Step, rows: Sequence[NightStep]) -> bool:
        if night.state == NightState.STOPPING and _tells(step):
            # It reports about the others, so they end first.
            return all(
                row.state in STEP_ENDED for row in rows if row.step != step.number and not _row_tells(row)
            )
        return night.state == NightState.STOPPING or all(
            row.state in STEP_ENDED for row in rows if row.step in step.waits_for
        )

    def _start(self, night: Night, file: NightFile, step: Step, rows: dict[int, NightStep]) -> bool:
        if night.state == NightState.STOPPING and not _tells(step):
            return self._end_waiting(night, step, StepState.CARRIED_OVER, "the time of the night was over")
        failed = [rows[number].name for number in step.needs if rows[number].state in _FAILED]
        if failed:
            return self._end_waiting(night, step, StepState.FAILED, f"{failed[0]} did not succeed")
        if step.action in ACTIONS:
            with self._store.write() as session:
                running.start_step(session, night.id, step.number, None)
            return self._act(night, step)
        try:
            with self._store.write() as session:
                return self._submit(session, night, file, step)
        except (StoreError, ValueError) as error:
            return self._end_waiting(night, step, StepState.FAILED, str(error))

    def _submit(self, session: Session, night: Night, file: NightFile, step: Step) -> bool:
        """The job, and that the step has it, in one transaction."""
        made = submitting.submit(session, night, file, step)
        if isinstance(made, NothingToDo):
            return running.end_step(
                session, night.id, step.number, StepState.WAITING, StepState.SKIPPED, made.why
            )
        note = f"{made.n_moved:,} have another text now and wait for the next night" if made.n_moved else None
        if not running.start_step(
            session, night.id, step.number, made.job_id, n_moved=made.n_moved, note=note
        ):
            raise StoppedError
        log.info("night %d: %s is job %d", night.id, step.name, made.job_id)
        return True

    def _end_waiting(self, night: Night, step: Step, state: StepState, note: str) -> bool:
        with self._store.write() as session:
            return running.end_step(session, night.id, step.number, StepState.WAITING, state, note)

    def _act(self, night: Night, step: Step) -> bool:
        """Run an action to its end."""
        action = ACTIONS[step.action]
        setting = self._setting(night, step, self._beat(night, has_time=action.tells))
        try:
            note, state = action.run(setting), StepState.DONE
        except StoppedError:
            raise
        except Exception as error:
            if is_infrastructure_error(error):
                raise
            log.warning("night %d: %s failed: %s", night.id, step.name, error)
            note, state = str(error), StepState.FAILED
            setting.at_end.clear()
        if not self._hold(night.id):
            # Another scheduler runs the step now: what came of it here does not count.
            raise StoppedError
        try:
            with self._store.write() as session:
                for do in setting.at_end:
                    do(session)
                return running.end_step(session, night.id, step.number, StepState.RUNNING, state, note)
        except ConflictError:
            raise StoppedError from None

    def _setting(self, night: Night, step: Step, beat: Callable[[], None]) -> Setting:
        """What an action is called with."""
        told = self._file(night).definition.schedule
        with self._store.read() as session:
            due_at = (
                runs.by_id(session, night.run_id).due_at if night.run_id is not None else night.created_at
            )
        return Setting(
            store=self._store,
            night_id=night.id,
            plan_id=night.plan_id or 0,
            step=step.number,
            step_name=step.name,
            name=night.name,
            collection=step.collection,
            run_id=night.run_id,
            due_at=due_at.astimezone(ZoneInfo(told.time_zone if told is not None else "UTC")),
            folder=Path(night.folder),
            keys=step.table.others,
            beat=beat,
        )

    def _watch(self, night: Night, step: Step, row: NightStep) -> bool:
        """A running step: whether it has ended now."""
        if row.job_id is None:
            # Its scheduler died in the middle, or gave it back.
            return self._act(night, step)
        with self._store.read() as session:
            state = running.job_state(session, row.job_id).state
        if state in UNFINISHED and (why := self._why_stop(night, step, row)):
            with self._store.write() as session, suppress(ConflictError):
                jobs.stop(session, row.job_id, ErrorCode.CARRIED_OVER, why)
        if state not in ENDED:
            return False
        with self._store.write() as session:
            after, note = _outcome(session, row.job_id)
            n = running.n_carried_over(session, row.job_id)
            after = StepState.CARRIED_OVER if n else after
            return running.end_step(
                session,
                night.id,
                step.number,
                StepState.RUNNING,
                after,
                note or row.note,
                n_carried_over=n or None,
            )

    def _why_stop(self, night: Night, step: Step, row: NightStep) -> str | None:
        if night.state == NightState.STOPPING:
            return f"the time of night {night.id} was over: the next night takes it"
        if step.table.time_limit is None or row.started_at is None:
            return None
        with self._store.read() as session:
            so_far = (clock(session) - row.started_at).total_seconds()
        limit = step.table.time_limit
        return (
            f"the step's time ({limit}) was over: the next night takes it"
            if so_far > seconds_of(limit)
            else None
        )

    # --- the end ----------------------------------------------------------------------------------------------------

    def _end_if_over(self, night: Night) -> None:
        with self._store.read() as session:
            rows = running.steps_of(session, night.id)
            session.expunge_all()
        if not running.are_over(rows):
            return
        failed = [row for row in rows if row.state in (StepState.FAILED, StepState.CANCELLED)]
        carried = [row for row in rows if row.state == StepState.CARRIED_OVER]
        if failed:
            first = failed[0]
            self._end(night.id, NightState.FAILED, f"{first.name}: {first.note or first.state}")
        elif carried:
            self._end(night.id, NightState.CARRIED_OVER, self._carried_words(night, carried))
        else:
            self._end(night.id, NightState.DONE, None)

    def _carried_words(self, night: Night, carried: Sequence[NightStep]) -> str:
        """ "carried over to the next night: 1,204 of classify, 12 of summarize" """
        with self._store.read() as session:
            plan = plans.load(session, night.plan_id or 0)
        words = [
            f"{row.n_carried_over if row.n_carried_over is not None else plan.step(row.name).n_to_do:,} of {row.name}"
            for row in carried
        ]
        return f"carried over to the next night: {', '.join(words)}"

    def _end(self, night_id: int, state: NightState, note: str | None) -> None:
        with self._store.write() as session:
            if running.end(session, night_id, state, note):
                log.info("night %d is %s%s", night_id, state, f": {note}" if note else "")

    def _beat(self, night: Night, *, has_time: bool = False) -> Callable[[], None]:
        """What long work calls. StoppedError if the scheduler stops, the night's time is over, or another has it."""
        last = time.monotonic()

        def beat() -> None:
            nonlocal last
            if self._stopping.is_set():
                raise StoppedError
            if time.monotonic() - last < self._hold_seconds / 5:
                return
            last = time.monotonic()
            if not self._hold(night.id) or (not has_time and self._is_over(night)):
                raise StoppedError

        return beat


def cancel(session: Session, night_id: int, why: str = "it was cancelled") -> None:
    """End a night: its jobs are cancelled, and its other steps do not start. ConflictError if it has ended."""
    for row in running.steps_of(session, night_id):
        if row.job_id is not None and row.state == StepState.RUNNING:
            with suppress(ConflictError):
                jobs.stop(session, row.job_id, ErrorCode.CANCELLED, f"night {night_id} was cancelled")
        if row.state not in STEP_ENDED:
            running.end_step(session, night_id, row.step, row.state, StepState.CANCELLED, None)
    if not running.end(session, night_id, NightState.CANCELLED, why):
        night = running.by_id(session, night_id)
        raise ConflictError(f"night {night_id} has ended already ({night.state})")


def _tells(step: Step) -> bool:
    return step.action in ACTIONS and ACTIONS[step.action].tells


def _row_tells(row: NightStep) -> bool:
    return row.action in ACTIONS and ACTIONS[row.action].tells


def _outcome(session: Session, job_id: int) -> tuple[StepState, str | None]:
    """What an ended job is to its step. Documents may fail; a step has failed if nothing came of it, and no error is
    about a document."""
    job = running.job_state(session, job_id)
    if job.state == JobState.CANCELLED:
        return StepState.CANCELLED, "its job was cancelled"
    if job.n_ok or not job.n_error:
        return StepState.DONE, job.note
    codes = session.scalars(
        select(Outcome.error_code)
        .where(Outcome.job_id == job_id, Outcome.state == OutcomeState.ERROR)
        .distinct()
    ).all()
    says_nothing = all(code in (*PASSING, ErrorCode.CRASHED) for code in codes)
    return (StepState.FAILED if says_nothing else StepState.DONE), job.note
