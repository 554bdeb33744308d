"""The tick: feed Redis, reap what was lost, move jobs on, fire schedules.

Any number of schedulers may run: every step is a compare-and-set in the store, so none of them leads, and
none is missed when it dies.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db import chunks, jobs
from db.database_errors import words
from db.errors import StoreError
from db.models import Job
from db.store import Store, is_infrastructure_error
from scheduler import nightly, requests
from scheduler.broker import Broker
from workers.alive import Heartbeat
from workers.kinds import all_kinds
from workers.settings import Settings

log = logging.getLogger("docmill.scheduler")

#: Feeding and the states of jobs are looked at so often, so that neither workers nor users wait for them.
FEED_SECONDS = 0.1


class Scheduler:
    """The loop. `run` returns when `stopping` is set."""

    def __init__(self, store: Store, broker: Broker, settings: Settings) -> None:
        self.store = store
        self.broker = broker
        self.settings = settings
        self.stopping = threading.Event()
        self._away: set[str] = set()
        self._reap_from = 0.0

    def run(self) -> None:
        """Tick until told to stop. Faults of Redis or the store are waited out, and told once."""
        ticked_at = -math.inf
        heartbeat = Heartbeat(self.settings, "scheduler")
        while not self.stopping.is_set():
            heartbeat.beat()
            if time.monotonic() - ticked_at >= min(1.0, self.settings.tick_seconds):
                ticked_at = time.monotonic()
                self.tick()
            else:
                self._survive("jobs", self.move_jobs)
                self._survive("redis", self.feed)
            self.stopping.wait(FEED_SECONDS)

    def tick(self) -> bool:
        """Every step once; one that fails does not keep the others from their work. Whether there was work."""
        steps: tuple[tuple[str, Callable[[], bool]], ...] = (
            ("reap", self.reap),
            ("jobs", self.move_jobs),
            ("schedules", self.fire),
            ("redis", self.feed),
        )
        busy = [self._survive(name, step) for name, step in steps]
        return any(busy)

    def feed(self) -> bool:
        """Send messages until Redis knows of min(ready chunks, window) for each kind and priority. What Redis
        lost is sent again, since the store still has it as ready."""
        with self.store.read() as session:
            waiting = chunks.ready(session, self.settings.window)
        for kind, priority, n_ready in waiting:
            missing = min(n_ready, self.settings.window) - self.broker.depth(kind, priority)
            if missing > 0:
                self._send(kind, priority, missing)
        return bool(waiting)

    def _send(self, kind: str, priority: int, limit: int) -> None:
        with self.store.write() as session:
            messages = chunks.take_for_sending(session, kind, priority, limit, self.settings.resend_seconds)
        try:
            self.broker.send(messages, all_kinds())
        except Exception:
            with self.store.write() as session:
                chunks.unsend(session, [message.chunk_id for message in messages])
            raise

    def reap(self) -> bool:
        """Free the chunks of workers that are gone. After an outage of the store the workers get a moment to
        renew first: they were kept from it."""
        if time.monotonic() < self._reap_from:
            return False
        with self.store.read() as session:
            if not session.scalar(select(exists().where(*chunks.expired()))):
                return False
        with self.store.write() as session:
            reaped = chunks.reap(session)
        if reaped:
            log.warning("the lease ran out on chunks %s: they are ready again", reaped)
        return bool(reaped)

    def move_jobs(self) -> bool:
        """Open jobs that waited, open next stages, close stopped jobs, finish those whose chunks are closed."""
        with self.store.read() as session:
            open_jobs = session.execute(select(Job.id, Job.state).where(Job.state.not_in(jobs.ENDED))).all()
        for job_id, state in open_jobs:
            try:
                self._move(job_id, state)
            except Exception as error:
                if is_infrastructure_error(error):
                    raise
                # One job that cannot be moved must not hold up the others; doctor shows it.
                log.exception("job %d cannot be moved on", job_id)
        return bool(open_jobs)

    def _move(self, job_id: int, state: str) -> None:
        if state == "waiting":
            self._open_waiting(job_id)
        elif state == "cancelling":
            while self._in_transaction(lambda session: jobs.stop_some(session, job_id)):
                pass
            self._in_transaction(lambda session: jobs.finish(session, job_id))
        elif state == "running":
            with self.store.read() as session:
                n_open, n_moving = jobs.open_chunks(session, job_id)
            if not n_open:
                if self._in_transaction(lambda session: jobs.finish(session, job_id)):
                    log.info("job %d is finished", job_id)
            elif not n_moving:
                self._in_transaction(lambda session: jobs.open_next_stage(session, job_id))

    def _open_waiting(self, job_id: int) -> None:
        """A job whose predecessor has ended runs; without the model it was to use, or after a cancelled
        predecessor, it ends, and says so for each document."""
        with self.store.read() as session:
            after = session.get_one(Job, job_id).after_job_id or 0
            state = jobs.job_state(session, after)
        if state not in jobs.ENDED:
            return
        with self.store.write() as session:
            if state == "cancelled":
                jobs.stop(session, job_id, "CANCELLED", f"job {after}, which it waited for, was cancelled")
                return
            try:
                version_id = requests.open_model(session, session.get_one(Job, job_id))
            except StoreError as error:
                jobs.stop(session, job_id, "NO_MODEL", f"after job {after}: {error}")
            else:
                jobs.open_waiting(session, job_id, version_id)

    def fire(self) -> bool:
        """Submit the jobs of schedules whose time has come."""
        return nightly.fire_due(self.store)

    def _in_transaction(self, step: Callable[[Session], bool | int]) -> bool | int:
        with self.store.write() as session:
            return step(session)

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
