"""The tick: feed Redis, reap what was lost, move jobs on, fire schedules.

Any number of schedulers may run: every step is a compare-and-set in the store, so none of them leads, and
none is missed when it dies. Each step has a thread of its own and touches few rows at a time, so that neither a
giant job nor a Redis that hangs holds up the others.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db import chunks, jobs
from db.database_errors import words
from db.errors import StoreError
from db.jobs import Count, Part
from db.states import ENDED, ErrorCode, JobState
from db.store import Store, is_infrastructure_error, is_lock_timeout
from db.tables import Job
from scheduler import cron, requests
from scheduler.broker import Broker
from workers.kinds import all_kinds
from workers.processes.liveness import SignOfLife
from workers.settings import Settings

log = logging.getLogger("docmill.scheduler")

#: Feeding and the states of jobs are looked at so often, so that neither workers nor users wait for them. A writer to
#: SQLite asks for the lock every 0.1 s at least: it gets it in this pause.
FEED_SECONDS = 0.1
#: Told to stop, the scheduler leaves after so long whatever runs.
STOP_SECONDS = 1.0
#: A step ends its turn after so long and goes on in the next one.
TURN_SECONDS = 0.25
#: A transaction that closes chunks of a stopped job should be no longer: on a slower machine it takes fewer documents.
STEP_SECONDS = 0.3
MIN_STEP_DOCUMENTS = 1_000
#: So many open jobs are looked at in a turn, and so many messages of a kind and priority are sent.
TURN_JOBS, TURN_MESSAGES = 1_000, 500
#: So many chunks whose lease ran out are freed in one transaction.
STEP_REAPED = 20
#: A row that somebody else holds for longer (a worker frozen inside a transaction) is left for the next turn.
LOCK_SECONDS = 0.5


class Scheduler:
    """The loop. `run` returns when `stopping` is set."""

    def __init__(self, store: Store, broker: Broker, settings: Settings) -> None:
        self.store = store
        self.broker = broker
        self.settings = settings
        self.stopping = threading.Event()
        self._away: set[str] = set()
        self._reap_from = 0.0
        self._running: threading.Thread | None = None
        #: The job that was looked at last: the next turn begins behind it.
        self._last_job = 0
        #: How far a job is that is being counted, or cancelled in the middle of a large chunk.
        self._counts: dict[int, Count] = {}
        self._parts: dict[int, Part] = {}
        #: What a step and a turn may take; the first follows the machine's speed.
        self.step_documents = jobs.STEP_DOCUMENTS
        self.turn_seconds = TURN_SECONDS

    def run_until_stopped(self) -> bool:
        """`run` in threads, and return within STOP_SECONDS after `stopping` is set. Whether every step had ended: a
        store that is locked, or a Redis that hangs, lets some of them wait for longer. What those had not
        committed counts as never done, so that the process may leave all the same."""
        self._running = threading.Thread(target=self.run, name="scheduler", daemon=True)
        self._running.start()
        self.stopping.wait()
        self._running.join(STOP_SECONDS)
        return not self._running.is_alive()

    def wait_until_stopped(self) -> None:
        """Return when every step that `run_until_stopped` left waiting has ended."""
        if self._running is not None:
            self._running.join()

    def run(self) -> None:
        """Tick until told to stop. Faults of Redis or the store are waited out, and told once."""
        tick_seconds = min(1.0, self.settings.tick_seconds)
        pauses = {"reap": tick_seconds, "schedules": tick_seconds}
        threads = [
            threading.Thread(
                target=self._keep, args=(name, step, pauses.get(name, FEED_SECONDS)), name=name, daemon=True
            )
            for name, step in self._steps()
        ]
        for thread in threads:
            thread.start()
        sign = SignOfLife(self.settings, "scheduler")
        while all(thread.is_alive() for thread in threads):
            sign.beat()
            threads[0].join(FEED_SECONDS)
        for thread in threads:
            thread.join()

    def tick(self) -> bool:
        """Every step once; one that fails does not keep the others from their work. Whether there was work."""
        busy = [self._survive(name, step) for name, step in self._steps()]
        return any(busy)

    def _steps(self) -> tuple[tuple[str, Callable[[], bool]], ...]:
        return (
            ("reap", self.reap),
            ("jobs", self.move_jobs),
            ("schedules", self.fire),
            ("redis", self.feed),
        )

    def _keep(self, name: str, step: Callable[[], bool], pause_seconds: float) -> None:
        while not self.stopping.is_set():
            self._survive(name, step)
            self.stopping.wait(pause_seconds)

    def feed(self) -> bool:
        """Send messages until Redis knows of min(ready chunks, window) for each kind and priority. What Redis
        lost is sent again, since the store still has it as ready."""
        with self.store.read() as session:
            waiting = chunks.ready(session, self.settings.window)
        for kind, priority, n_ready in waiting:
            if self.stopping.is_set():
                break
            missing = min(n_ready, self.settings.window) - self.broker.depth(kind, priority)
            if missing > 0:
                self._send(kind, priority, min(missing, TURN_MESSAGES))
        return bool(waiting)

    def _send(self, kind: str, priority: int, limit: int) -> None:
        with self._write() as session:
            messages = chunks.take_for_sending(session, kind, priority, limit, self.settings.resend_seconds)
        try:
            self.broker.send(messages, all_kinds())
        except Exception:
            with self._write() as session:
                chunks.unsend(session, [message.chunk_id for message in messages])
            raise

    def reap(self) -> bool:
        """Free the chunks of workers that are gone. After an outage of the store the workers get a moment to
        renew first: they were kept from it."""
        until, n_reaped = self._end_of_turn(), 0
        while time.monotonic() >= self._reap_from:
            with self.store.read() as session:
                if not session.scalar(select(exists().where(*chunks.expired()))):
                    break
            with self._write() as session:
                reaped = chunks.reap(session, STEP_REAPED)
            n_reaped += len(reaped)
            if reaped:
                log.warning("the lease ran out on chunks %s: they are ready again", reaped)
            if not reaped or self._is_over(until):
                break
        return n_reaped > 0

    def move_jobs(self) -> bool:
        """Open jobs that waited, open next stages, close stopped jobs, finish those whose chunks are closed. Each
        job gets one short step in its turn; who had none in this turn is the first in the next."""
        until = self._end_of_turn()
        open_jobs = self._open_jobs()
        for job_id, state in open_jobs:
            try:
                self._move(job_id, state)
            except Exception as error:
                if is_lock_timeout(error):
                    log.info("job %d is held by somebody else at the moment", job_id)
                elif is_infrastructure_error(error):
                    raise
                else:
                    # One job that cannot be moved must not hold up the others; doctor shows it.
                    log.exception("job %d cannot be moved on", job_id)
            self._last_job = job_id
            if self._is_over(until):
                break
        return bool(open_jobs)

    def _open_jobs(self) -> list[tuple[int, JobState]]:
        """Some jobs that have not ended, and their states: first those behind the job that was looked at last."""
        some = select(Job.id, Job.state).where(Job.state.not_in(ENDED)).order_by(Job.id)
        with self.store.read() as session:
            behind = session.execute(some.where(Job.id > self._last_job).limit(TURN_JOBS)).all()
            before = session.execute(
                some.where(Job.id <= self._last_job).limit(TURN_JOBS - len(behind))
            ).all()
        return [(job_id, state) for job_id, state in (*behind, *before)]

    def _move(self, job_id: int, state: JobState) -> None:
        if state == JobState.WAITING:
            self._open_waiting(job_id)
        elif state == JobState.CANCELLING:
            self._stop_some(job_id)
            self._finish(job_id)
        elif state == JobState.RUNNING:
            with self.store.read() as session:
                is_done = chunks.is_every_chunk_closed(session, job_id)
                is_blocked = not is_done and chunks.has_blocked_chunks(session, job_id)
            if is_blocked:
                with self._write() as session:
                    chunks.open_some(session, job_id)
            elif is_done:
                self._finish(job_id)

    def _stop_some(self, job_id: int) -> None:
        """One step of closing a stopped job; how large the next one is follows from how long this one took."""
        began = time.monotonic()
        with self._write() as session:
            stopped = jobs.stop_some(
                session, job_id, self._parts.pop(job_id, None), documents=self.step_documents
            )
        if stopped.part is not None:
            self._parts[job_id] = stopped.part
        if time.monotonic() - began > STEP_SECONDS:
            self.step_documents = max(MIN_STEP_DOCUMENTS, self.step_documents // 2)
        elif stopped.n_chunks:
            self.step_documents = min(jobs.STEP_DOCUMENTS, self.step_documents * 2)

    def _finish(self, job_id: int) -> None:
        """Count a job's outcomes for a turn, and end it when all are counted."""
        until = self._end_of_turn()
        with self.store.read() as session:
            if not chunks.is_every_chunk_closed(session, job_id):
                return
        count = self._counts.pop(job_id, Count())
        while not count.is_whole:
            with self.store.read() as session:
                count = jobs.count_some(session, job_id, count)
            if self._is_over(until) and not count.is_whole:
                self._counts[job_id] = count
                return
        with self._write() as session:
            is_finished = jobs.finish(session, job_id, count)
        if is_finished:
            log.info("job %d has ended: %d ok, %d failed", job_id, count.n_ok, count.n_error)

    def _open_waiting(self, job_id: int) -> None:
        """A job whose predecessor has ended runs; without the model it was to use, or after a cancelled
        predecessor, it ends, and says so for each document."""
        with self.store.read() as session:
            after = session.get_one(Job, job_id).after_job_id or 0
            state = jobs.state_of(session, after)
        if state not in ENDED:
            return
        with self._write() as session:
            if state == JobState.CANCELLED:
                jobs.stop(
                    session, job_id, ErrorCode.CANCELLED, f"job {after}, which it waited for, was cancelled"
                )
                return
            try:
                version_id = requests.open_model(session, session.get_one(Job, job_id))
            except StoreError as error:
                jobs.stop(session, job_id, ErrorCode.NO_MODEL, f"after job {after}: {error}")
            else:
                jobs.open_waiting(session, job_id, version_id)
                chunks.open_some(session, job_id)

    def fire(self) -> bool:
        """Submit the jobs of schedules whose time has come."""
        return cron.fire_due(self.store, self.stopping)

    def _write(self) -> AbstractContextManager[Session]:
        return self.store.write(lock_seconds=LOCK_SECONDS)

    def _end_of_turn(self) -> float:
        return time.monotonic() + self.turn_seconds

    def _is_over(self, until: float) -> bool:
        """Whether a step has to give way, to the others or to the end."""
        return self.stopping.is_set() or time.monotonic() >= until

    def _survive(self, name: str, step: Callable[[], bool]) -> bool:
        """Run a step; tell of a fault once when it begins and once when it is over."""
        try:
            busy = step()
        except Exception as error:
            store_is_away = is_infrastructure_error(error)
            if store_is_away:
                self._reap_from = time.monotonic() + self.settings.lease_seconds / 4
            elif name == "redis":
                self.broker.close()
            if name not in self._away:
                log.warning(
                    "%s: %s; trying on", name, words(error), exc_info=not store_is_away and name != "redis"
                )
            self._away.add(name)
            return True
        if name in self._away:
            self._away.discard(name)
            log.info("%s: works again", name)
        return busy
