"""One Celery worker for each device, pinned before its interpreter starts. Imports neither Celery nor torch."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import sys
import threading
from collections.abc import Sequence
from typing import IO

from db import chunks
from db.store import Store, is_infrastructure_error
from workers.alive import Heartbeat
from workers.devices import Device
from workers.names import queue_of
from workers.settings import Settings
from workers.supervision import Child, stop_all

log = logging.getLogger("docmill.launcher")


class Launcher:
    """The workers of one machine. `run` returns when `stopping` is set and every worker has ended."""

    def __init__(self, settings: Settings, devices: Sequence[Device], kinds: Sequence[str]) -> None:
        self.settings = settings
        self.kinds = list(kinds)
        self.stopping = threading.Event()
        self._locks: list[IO[str]] = []
        self.workers = [self._worker(device) for device in devices]

    def run(self) -> None:
        heartbeat = Heartbeat(self.settings, "worker")
        try:
            while not self.stopping.is_set():
                for worker in self.workers:
                    worker.keep_up()
                if all(worker.is_steady() for worker in self.workers):
                    heartbeat.beat()
                self.stopping.wait(0.2)
        finally:
            stop_all(self.workers, self.settings.grace_seconds)
            self._give_back()
            for lock in self._locks:
                lock.close()

    def _worker(self, device: Device) -> Child:
        name, lock = self._free_name(device)
        self._locks.append(lock)
        command = [
            sys.executable, "-m", "workers.celery_command", "worker", "--loglevel", "INFO",
            "--hostname", f"docmill-{name}", "--queues", ",".join(map(queue_of, self.kinds)),
            "--without-gossip", "--without-mingle",
        ]  # fmt: skip
        pinned = device.environment | {"DOCMILL_DEVICE": device.torch_name, "DOCMILL_WORKER": name}
        return Child(name, command, pinned, processors=device.processors, inherits=(lock.fileno(),))

    def _free_name(self, device: Device) -> tuple[str, IO[str]]:
        """The first free name for a worker on this device, locked as long as the worker lives: one that
        outlives its launcher for a moment still has its own."""
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

    def _give_back(self) -> None:
        """What a killed worker held goes back at once, and is no crash: it was told to stop."""
        store = Store(self.settings.url)
        try:
            with store.write() as session:
                for worker in self.workers:
                    chunks.give_back(session, worker.name)
        except Exception as error:
            if not is_infrastructure_error(error):
                raise
            log.warning("cannot give chunks back; their leases will run out")
        finally:
            store.close()
