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
from collections.abc import Sequence
from typing import IO

from sqlalchemy.orm import Session

from db import registry
from db.registry import Member
from db.store import newer_schema
from workers.metrics.asked import serve_if_asked
from workers.metrics.of_worker import WorkerMetrics
from workers.names import queue_of
from workers.processes import crash_reports, requeue
from workers.processes.devices import Device
from workers.processes.heartbeat import Heartbeat, member
from workers.processes.liveness import SignOfLife
from workers.processes.supervision import Child, stop_all
from workers.settings import Settings

log = logging.getLogger("docmill.launcher")


class Launcher:
    """The workers of one machine. `run` returns when `stopping` is set and every worker has ended."""

    def __init__(self, settings: Settings, devices: Sequence[Device], kinds: Sequence[str]) -> None:
        self.settings = settings
        self.kinds = list(kinds)
        self.stopping = threading.Event()
        self._locks: list[IO[str]] = []
        self._members: list[Member] = []
        self.workers = [self._worker(device) for device in devices]
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
                while not self.stopping.is_set():
                    self._look_after_workers()
                    if self.heartbeat.outdated or all(worker.is_steady() for worker in self.workers):
                        sign.beat()
                    self.stopping.wait(0.2)
                stop_all(self.workers, self.settings.grace_seconds)
        finally:
            stop_all(self.workers, self.settings.grace_seconds)
            if metrics is not None:
                metrics.close()
            requeue.give_back(self.settings.url, [one.instance for one in self._members])
            for lock in self._locks:
                lock.close()
            for one in self._members:
                crash_reports.remove(self.settings.home_path, one.instance)

    def _look_after_workers(self) -> None:
        """Keep the workers running. While the store is newer than this code, keep them stopped."""
        if self.heartbeat.outdated is None:
            for worker in self.workers:
                worker.keep_up()
        elif any(worker.process is not None for worker in self.workers):
            log.error("%s; the workers here are stopped until then", self.heartbeat.outdated)
            stop_all(self.workers, self.settings.grace_seconds)
            for worker in self.workers:
                worker.process = None

    def _worker(self, device: Device) -> Child:
        name, lock = self._free_name(device)
        instance = secrets.token_hex(8)
        alive = crash_reports.lock_launcher(crash_reports.folder_of(self.settings.home_path, instance))
        self._locks += [lock, alive]
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
