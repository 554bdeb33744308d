"""The threads of a scheduler: each runs one step when there is something to do for it, and survives its faults."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from db import growth, store_changes
from db.database_errors import words
from db.store import Store, is_infrastructure_error
from scheduler import firing
from scheduler.broker import Broker
from scheduler.loop.batches import BatchMover
from scheduler.loop.feeding import Feeder
from scheduler.loop.moving import JobMover
from scheduler.loop.reaping import Reaper
from scheduler.loop.timing import StepTimer
from scheduler.loop.turns import Did, Turns
from scheduler.nights.advancing import NightMover
from scheduler.notifying import delivering
from scheduler.retention import RetentionTurn
from scheduler.search.indexing import Indexer
from workers.processes.liveness import SignOfLife
from workers.settings import Settings

log = logging.getLogger("docmill.scheduler")

#: The shortest pause between two turns of feeding, and of moving jobs. A writer to SQLite asks for the lock at least
#: every 0.1 s, and gets it in this pause.
FEED_SECONDS = 0.1
#: The longest pause, while jobs run and nothing is to be done for them.
WATCH_SECONDS = 0.5
#: The pause between two turns of retention.
RETENTION_SECONDS = 5.0
#: The pause between two turns of nights.
NIGHT_SECONDS = 0.3
#: The pause between two looks at whether every thread is alive.
SIGN_SECONDS = 0.5
#: A scheduler that is told to stop leaves after this time, whatever still runs.
STOP_SECONDS = 1.0


class Scheduler:
    """The loop. `run` returns when `stopping` is set."""

    def __init__(self, store: Store, broker: Broker, settings: Settings) -> None:
        self.store = store
        self.broker = broker
        self.settings = settings
        self.stopping = threading.Event()
        self.turns = Turns(store, self.stopping)
        self.feeder = Feeder(self.turns, broker, settings)
        self.reaper = Reaper(self.turns)
        self.mover = JobMover(self.turns)
        self.retention = RetentionTurn(store, settings.models_path, self.stopping)
        self.nights = NightMover(store, settings.instance, self.stopping, settings.lease_seconds / 2)
        self.indexer = Indexer(store, self.stopping)
        self.batches = BatchMover(self.turns)
        self.timer = StepTimer(store, self.stopping)
        self._failing: set[str] = set()
        self._running: threading.Thread | None = None

    def run_until_stopped(self) -> bool:
        """Run in threads, and return within STOP_SECONDS after `stopping` is set; whether every step had ended. With
        a locked store or a Redis that hangs, some may still wait. The process may leave all the same: what they have
        not committed counts as never done."""
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
        """Run each step in its own thread until told to stop. A fault of Redis or the store is logged once, and the
        steps go on when it is over."""
        seconds = min(1.0, self.settings.tick_seconds)
        pauses = {
            "reap": seconds,
            "schedules": seconds,
            "notifications": seconds,
            "retention": RETENTION_SECONDS,
            "nights": min(NIGHT_SECONDS, seconds),
        }
        threads = [
            threading.Thread(
                target=self._repeat, args=(name, step, pauses.get(name, FEED_SECONDS)), name=name
            )
            for name, step in self._steps()
        ]
        threads.append(threading.Thread(target=self._follow, name="agenda"))
        threads.append(threading.Thread(target=self._listen, name="store changes"))
        for thread in threads:
            thread.daemon = True
            thread.start()
        sign = SignOfLife(self.settings, "scheduler")
        while all(thread.is_alive() for thread in threads):
            sign.beat()
            threads[0].join(SIGN_SECONDS)
        for thread in threads:
            thread.join()

    def run_once(self) -> bool:
        """Run every step once; a step that fails does not stop the others. Whether there was work."""
        busy = [self._survive(name, step) for name, step in self._steps()]
        return any(busy)

    def fire(self) -> bool:
        """Fire schedules that are due, and start and end their runs; whether there were any."""
        return firing.turn(self.store, self.stopping)

    def deliver(self) -> bool:
        """Deliver notifications that are due; whether there were any."""
        return delivering.deliver_some(self.store, self.stopping)

    def count_growth(self) -> bool:
        """Count what ended nights and jobs changed, a slice; whether there was something to count."""
        with self.store.read() as session:
            is_due = session.scalar(growth.is_any_uncounted())
        if not is_due:
            return False
        with self.store.write() as session:
            return growth.count_some(session)

    def _steps(self) -> tuple[tuple[str, Callable[[], int]], ...]:
        return (
            ("reap", self.reaper.reap),
            ("jobs", self.mover.move_jobs),
            ("schedules", self.fire),
            ("nights", self.nights.move),
            ("notifications", self.deliver),
            ("redis", self.feeder.feed),
            ("retention", self.retention.turn),
            ("search", self.indexer.turn),
            ("batches", self.batches.move),
            ("growth", self.count_growth),
        )

    def _repeat(self, name: str, step: Callable[[], int], least: float) -> None:
        """Run a step when it is due, and again while there is work. While it only watches, it waits longer and longer,
        unless the store is changed."""
        pause = least
        while (look := self.timer.wait_until_due(name)) is not None:
            did = self._survive(name, step)
            if not did:
                self.timer.rest(name, look)
                self.stopping.wait(least)
                continue
            has_changed = self.timer.pause(least, least if did == Did.WORKED else pause)
            is_quiet = did != Did.WORKED and not has_changed
            pause = max(least, min(WATCH_SECONDS, pause * 1.5)) if is_quiet else least

    def _follow(self) -> None:
        """Look at the agenda and wake the steps."""
        while not self.stopping.is_set():
            self._survive("agenda", self.timer.turn)

    def _listen(self) -> None:
        """Wake the steps when the store is changed."""
        watcher = store_changes.of(self.store)
        try:
            while not self.stopping.is_set():
                if watcher.wait(self.stopping):
                    self.timer.store_changed()
                self.timer.watches(can_watch=watcher.can_watch())
        finally:
            watcher.close()
            self.timer.store_changed()

    def _survive(self, name: str, step: Callable[[], int]) -> int:
        """Run a step. A fault is logged once when it begins, and once when it is over."""
        began = time.monotonic()
        try:
            busy = step()
        except Exception as error:
            self.turns.metrics.count("docmill_scheduler_step_failures_total", name)
            store_is_away = is_infrastructure_error(error)
            if store_is_away:
                self.reaper.wait(self.settings.lease_seconds / 4)
            elif name == "redis":
                self.broker.close()
            if name not in self._failing:
                is_unexpected = not store_is_away and name != "redis"
                log.warning("%s: %s; trying again", name, words(error), exc_info=is_unexpected)
            self._failing.add(name)
            return True
        finally:
            self.turns.metrics.observe("docmill_scheduler_step_seconds", name, value=time.monotonic() - began)
            self.turns.metrics.set("docmill_scheduler_last_turn_timestamp_seconds", name, value=time.time())
        if name in self._failing:
            self._failing.discard(name)
            log.info("%s: works again", name)
        return busy
