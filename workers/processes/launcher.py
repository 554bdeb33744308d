"""Starts one Celery worker for each device, pinned to it before its interpreter starts. Imports neither Celery nor
torch."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import secrets
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import IO

from sqlalchemy.orm import Session

from db import registry
from db.registry import Member
from db.states import WorkerPhase
from db.store import newer_schema
from workers.metrics.of_worker import WorkerMetrics
from workers.metrics.optional_server import serve_if_asked
from workers.names import queue_of
from workers.processes import crash_reports, requeue
from workers.processes.device_watch import DeviceWatch
from workers.processes.devices import Device
from workers.processes.heartbeat import Heartbeat, member
from workers.processes.liveness import SignOfLife
from workers.processes.supervision import Child, stop_all
from workers.settings import Settings

log = logging.getLogger("docmill.launcher")

#: Wait at most this long for the store to say whether these workers are drained, before they are started. Later a
#: drained worker is stopped again; it claims nothing in any case.
LOOK_SECONDS = 5.0


class Launcher:
    """The workers of one machine. `run` returns when `stopping` is set and every worker has ended."""

    def __init__(self, settings: Settings, devices: Sequence[Device], kinds: Sequence[str]) -> None:
        self.settings = settings
        self.kinds = list(kinds)
        self.stopping = threading.Event()
        self._locks: list[IO[str]] = []
        #: The workers that are stopped, or being stopped, and whether they have ended.
        self._resting: dict[str, bool] = {}
        #: The Celery process of each worker that takes messages.
        self._ready: dict[str, int] = {}
        self._members: list[Member] = []
        self._models: dict[str, str] = {}
        self.workers = [self._worker(device) for device in devices]
        self.watch = DeviceWatch(settings, {one.name: one for one in self._members}, self._models)
        folders = [crash_reports.folder_of(settings.home_path, one.instance) for one in self._members]
        self._metrics = WorkerMetrics(list(zip(devices, self.workers, folders, strict=True)))
        self.heartbeat = Heartbeat(settings, self._members)

    def run(self) -> None:
        sign = SignOfLife(self.settings, "worker")
        requeue.try_in_the_store(
            self.settings.url, self._requeue_orphans, "requeue what an earlier launcher's workers held"
        )
        metrics = serve_if_asked(self.settings.metrics_host, self.settings.metrics_port, self._metrics.counts)
        try:
            with self.heartbeat:
                self.heartbeat.has_looked.wait(LOOK_SECONDS)
                while not self.stopping.is_set():
                    self._look_after_workers()
                    if all(self._is_well(*each) for each in self._each()):
                        sign.beat()
                    self.stopping.wait(0.2)
                stop_all(self.workers, self.settings.grace_seconds)
        finally:
            stop_all(self.workers, self.settings.grace_seconds)
            if metrics is not None:
                metrics.close()
            requeue.give_back(self.settings.url, [one.instance for one in self._members])
            self.watch.close()
            for lock in self._locks:
                lock.close()
            for one in self._members:
                crash_reports.remove(self.settings.home_path, one.instance)

    def _each(self) -> Iterator[tuple[Child, Member]]:
        return zip(self.workers, self._members, strict=True)

    def _look_after_workers(self) -> None:
        """Keep the workers running, except those that are drained and those whose device is out. While the store is
        newer than this code, keep all of them stopped. This waits for none of them."""
        outdated, drained = self.heartbeat.outdated, self.heartbeat.drained
        for worker, one in self._each():
            if outdated is not None:
                self._rest(worker, one, f"{outdated}; it is stopped until then", logging.ERROR)
            elif one.instance in drained:
                self._drain(worker, one, drained[one.instance].why)
            elif self.watch.allows(worker):
                self._work(worker, one)
        if all(self._has_to_leave(one) for one in self._members):
            log.info("every worker here is drained: leaving, as `docmill workers drain --exit` asked")
            self.stopping.set()

    def _work(self, worker: Child, one: Member) -> None:
        if self._resting.pop(one.instance, None) is not None:
            log.info("%s works again", worker.name)
        worker.keep_up()
        is_ready = worker.process is not None and self._is_ready(one, worker.process.pid)
        self.heartbeat.enters(one.instance, WorkerPhase.RUNNING if is_ready else WorkerPhase.STARTING)

    def _is_ready(self, one: Member, pid: int) -> bool:
        if self._ready.get(one.instance) != pid:
            if not crash_reports.is_ready(self.settings.home_path, one.instance, pid):
                return False
            self._ready[one.instance] = pid
        return True

    def _drain(self, worker: Child, one: Member, why: str) -> None:
        """Let it end its batch, give back what it still holds, and tell the store."""
        if self.heartbeat.phase_of(one.instance) == WorkerPhase.DRAINED:
            return
        self.heartbeat.enters(one.instance, WorkerPhase.DRAINING)
        if self._rest(worker, one, f"{why}: it ends its batch and claims nothing more", logging.INFO):
            requeue.give_back(self.settings.url, [one.instance])
            self.heartbeat.enters(one.instance, WorkerPhase.DRAINED)
            log.info("%s is drained", worker.name)

    def _has_to_leave(self, one: Member) -> bool:
        drained = self.heartbeat.drained.get(one.instance)
        return drained is not None and drained.exits and self._resting.get(one.instance, False)

    def _rest(self, worker: Child, one: Member, why: str, level: int) -> bool:
        """Stop a worker; whether it has ended."""
        if one.instance not in self._resting:
            log.log(level, "%s: %s", worker.name, why)
        self._resting[one.instance] = worker.come_down(self.settings.grace_seconds)
        return self._resting[one.instance]

    def _is_well(self, worker: Child, one: Member) -> bool:
        """A device that is out is reported elsewhere: restarting all workers here would not bring it back."""
        return one.instance in self._resting or worker.is_steady() or self.watch.is_out(worker)

    def _worker(self, device: Device) -> Child:
        name, lock = self._free_name(device)
        instance = secrets.token_hex(8)
        alive = crash_reports.lock_launcher(crash_reports.folder_of(self.settings.home_path, instance))
        self._locks += [lock, alive]
        self._models[name] = device.model
        self._members.append(member("worker", name, instance, device.torch_name, self.kinds))
        # Celery's banner is no log line.
        quiet = ["--quiet"] if self.settings.log_format == "json" else []
        command = [
            sys.executable, "-m", "workers.processes.celery_command", *quiet, "worker", "--loglevel", "INFO",
            "--hostname", f"docmill-{name}", "--queues", ",".join(map(queue_of, self.kinds)),
            "--without-gossip", "--without-mingle",
        ]  # fmt: skip
        pinned = device.environment | {
            "DOCMILL_DEVICE": device.torch_name,
            "DOCMILL_WORKER": name,
            "DOCMILL_INSTANCE": instance,
            "DOCMILL_METRICS_PORT": str(self.settings.metrics_port),
        }
        inherits = (lock.fileno(), alive.fileno())
        return Child(name, command, pinned, processors=device.processors, inherits=inherits)

    def _free_name(self, device: Device) -> tuple[str, IO[str]]:
        """The first free name for a worker on this device. It is locked as long as the worker lives, so that a worker
        that outlives its launcher for a moment keeps its name."""
        folder = self.settings.home_path / "workers"
        folder.mkdir(parents=True, exist_ok=True)
        host = re.sub(r"[^\w.-]", "_", os.uname().nodename)
        for number in range(1000):
            suffix = f".{number}" if number else ""
            name = f"{device.name}{suffix}@{host}"
            lock = (folder / f"{name}.lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            return name, lock
        raise RuntimeError(f"a thousand workers of {device.name} are running here")

    def _requeue_orphans(self, session: Session) -> None:
        """Workers of this DOCMILL_HOME died with their launcher: what they held need not wait for its lease."""
        if newer_schema(session):
            return
        for instance, dead in crash_reports.orphans(self.settings.home_path):
            for one in dead:
                requeue.report_death(session, one, is_witness=False)
            registry.leave(session, [instance])
            crash_reports.remove(self.settings.home_path, instance)
