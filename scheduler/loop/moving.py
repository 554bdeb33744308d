"""Moving jobs on: start, open the next stage, close after a stop, finish.

A job gets one short step in each turn. Jobs that had no step in a turn come first in the next one.
"""

from __future__ import annotations

import logging
import time

from db import chunks, earlier, jobs
from db.errors import StoreError
from db.jobs import Count, Part
from db.states import ENDED, ErrorCode, JobState
from db.store import is_infrastructure_error, is_lock_timeout
from db.tables import Job
from scheduler import requests
from scheduler.loop.turns import Did, Turns
from workers import kinds, tracing

log = logging.getLogger("docmill.scheduler")

#: Open jobs that are looked at in one turn.
TURN_JOBS = 1_000
#: A transaction that closes chunks of a stopped job should not take longer: on a slower machine it closes fewer.
STEP_SECONDS = 0.3
MIN_STEP_DOCUMENTS = 1_000


class JobMover:
    """Gives every job that has not ended its next step."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        #: The last job that was looked at: the next turn begins with the job after it.
        self._last_job = 0
        #: How far the count of a job is that is being finished.
        self._counts: dict[int, Count] = {}
        #: How far a large chunk of a stopped job is.
        self._parts: dict[int, Part] = {}
        #: Documents that one step of a stop may touch: follows the machine's speed.
        self.step_documents = jobs.STEP_DOCUMENTS

    def move_jobs(self) -> Did:
        """One turn: the jobs that have a next step, first those after the last job that was looked at."""
        turn = self._turns.begin()
        with self._turns.store.look() as session:
            found = jobs.to_move(session, self._last_job, TURN_JOBS)
        for job_id, state in found.jobs:
            try:
                self._move(job_id, state)
            except Exception as error:
                if is_lock_timeout(error):
                    log.info("job %d is locked by another transaction; trying again later", job_id)
                elif is_infrastructure_error(error):
                    raise
                else:
                    # One job that cannot be moved must not hold up the others; doctor shows it.
                    log.exception("job %d cannot be moved on", job_id)
            self._last_job = job_id
            if turn.is_over():
                break
        if found.jobs:
            return Did.WORKED
        return Did.WATCHED if found.some_are_underway else Did.NOTHING

    def _move(self, job_id: int, state: JobState) -> None:
        if state == JobState.WAITING:
            self._start(job_id)
        elif state == JobState.RUNNING:
            self._open_or_finish(job_id)
        elif state == JobState.CANCELLING:
            self._stop_some(job_id)
            self._finish(job_id)

    def _start(self, job_id: int) -> None:
        """Start a waiting job once the job before it has ended. If that was cancelled, or did not make the model that
        is needed, stop it instead: each document's outcome says why. A job after another one like it only
        waits for its turn, however that ends."""
        with self._turns.store.read() as session:
            job = session.get_one(Job, job_id)
            after = job.after_job_id
            waits_for_its_turn = after is None or (
                job.model_version_id is not None and earlier.is_like(session, job, kinds.work_of(job), after)
            )
            state = None if after is None else jobs.state_of(session, after)
        if state is not None and state not in ENDED:
            return
        with self._turns.write() as session:
            if state == JobState.CANCELLED and not waits_for_its_turn:
                why = f"job {after}, which it waited for, was cancelled"
                jobs.stop(session, job_id, ErrorCode.CANCELLED, why)
                return
            try:
                version_id = requests.open_model(session, session.get_one(Job, job_id))
            except StoreError as error:
                jobs.stop(session, job_id, ErrorCode.NO_MODEL, f"after job {after}: {error}")
            else:
                if jobs.open_waiting(session, job_id, version_id):
                    chunks.open_some(session, job_id)

    def _open_or_finish(self, job_id: int) -> None:
        """Open chunks of the next stage; after the last stage, finish."""
        with self._turns.store.read() as session:
            is_done = chunks.is_every_chunk_closed(session, job_id)
            is_blocked = not is_done and chunks.has_blocked_chunks(session, job_id)
        if is_blocked:
            with self._turns.write() as session:
                chunks.open_some(session, job_id)
        elif is_done:
            self._finish(job_id)

    def _stop_some(self, job_id: int) -> None:
        """Close some chunks of a stopped job. The time that it took decides how large the next step is."""
        began = time.monotonic()
        part = self._parts.pop(job_id, None)
        with self._turns.write() as session:
            stopped = jobs.stop_some(session, job_id, part, documents=self.step_documents)
        if stopped.part is not None:
            self._parts[job_id] = stopped.part
        if time.monotonic() - began > STEP_SECONDS:
            self.step_documents = max(MIN_STEP_DOCUMENTS, self.step_documents // 2)
        elif stopped.n_chunks:
            self.step_documents = min(jobs.STEP_DOCUMENTS, self.step_documents * 2)

    def _finish(self, job_id: int) -> None:
        """Count a job's outcomes for a turn, and end the job when all are counted."""
        turn = self._turns.begin()
        with self._turns.store.read() as session:
            if not chunks.is_every_chunk_closed(session, job_id):
                return
        count = self._counts.pop(job_id, Count())
        while not count.is_whole:
            with self._turns.store.read() as session:
                count = jobs.count_some(session, job_id, count)
            if turn.is_over() and not count.is_whole:
                self._counts[job_id] = count
                return
        with self._turns.write() as session:
            is_finished = jobs.finish(session, job_id, count)
        if is_finished:
            self._trace_end(job_id, count)
            log.info("job %d has ended: %d ok, %d without a result", job_id, count.n_ok, count.n_error)

    def _trace_end(self, job_id: int, count: Count) -> None:
        """The last span of a job that was submitted in a trace."""
        if tracing.is_on():
            with self._turns.store.read() as session:
                job = session.get_one(Job, job_id)
            counts = {"ok": count.n_ok, "errors": count.n_error}
            if job.traceparent is not None:
                with tracing.span("finish", parent=job.traceparent, job=job_id, kind=job.kind, **counts):
                    pass
