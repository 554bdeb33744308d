"""One Celery worker for each device: start it pinned, restart it with backoff, stop it within a grace period.

The launcher imports neither Celery nor torch. Each worker has a session of its own, so that Ctrl-C reaches
the launcher alone, and dies with it (PR_SET_PDEATHSIG), so that none is left behind.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from db import chunks
from db.store import Store, is_infrastructure_error
from workers.devices import Device
from workers.names import queue_of
from workers.settings import Settings

log = logging.getLogger("docmill.launcher")

_PR_SET_PDEATHSIG = 1
#: A worker that lived so long had started well: its next restart is immediate.
HEALTHY_SECONDS = 60.0
MAX_BACKOFF_SECONDS = 30.0


@dataclass
class Slot:
    """A device and the worker that runs on it."""

    device: Device
    #: Under which it claims: unique among the workers that are alive on this machine.
    name: str
    #: Locked as long as a worker of this name lives.
    lock: IO[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    backoff: float = 0.0
    restart_at: float = field(default=0.0)


class Launcher:
    """The workers of one machine. `run` returns when `stopping` is set and every worker has ended."""

    def __init__(self, settings: Settings, devices: Sequence[Device], kinds: Sequence[str]) -> None:
        self.settings = settings
        self.kinds = list(kinds)
        self.stopping = threading.Event()
        self.slots = [self._slot(device) for device in devices]

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                for slot in self.slots:
                    self._keep_up(slot)
                self.stopping.wait(0.2)
        finally:
            self._stop_all()

    def _keep_up(self, slot: Slot) -> None:
        """Start a worker that is not there, when its backoff is over."""
        if slot.process is not None:
            code = slot.process.poll()
            if code is None:
                return
            healthy = time.monotonic() - slot.started_at > HEALTHY_SECONDS
            slot.backoff = 0.0 if healthy else min(max(1.0, slot.backoff * 2), MAX_BACKOFF_SECONDS)
            slot.restart_at = time.monotonic() + slot.backoff
            slot.process = None
            log.warning("%s ended (%s), starting it again in %.0f s", slot.name, _how(code), slot.backoff)
        if time.monotonic() >= slot.restart_at:
            slot.process = self._start(slot)
            slot.started_at = time.monotonic()

    def _start(self, slot: Slot) -> subprocess.Popen[bytes]:
        host = slot.name.partition("@")[2]
        command = [
            sys.executable, "-m", "celery", "--app", "workers.app", "worker", "--loglevel", "INFO",
            "--hostname", f"docmill-{slot.device.name}@{host}", "--queues", ",".join(map(queue_of, self.kinds)),
            "--without-gossip", "--without-mingle",
        ]  # fmt: skip
        environment = os.environ | slot.device.environment
        environment |= {"DOCMILL_DEVICE": slot.device.torch_name, "DOCMILL_WORKER": slot.name}
        log.info("starting %s", slot.name)
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(slot.lock.fileno(),),
            preexec_fn=lambda: _in_the_child(slot.device),
        )

    def _stop_all(self) -> None:
        """TERM to all at once; KILL to those that outlast the grace; what these held goes back unharmed."""
        running = [slot for slot in self.slots if slot.process is not None]
        for slot in running:
            _signal(slot, signal.SIGTERM)
        until = time.monotonic() + self.settings.grace_seconds
        for slot in running:
            assert slot.process is not None
            try:
                slot.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("%s did not end its batch within %.0f s", slot.name, self.settings.grace_seconds)
                _kill_group(slot)
                slot.process.wait()
        self._give_back()
        for slot in self.slots:
            slot.lock.close()

    def _give_back(self) -> None:
        store = Store(self.settings.url)
        try:
            with store.write() as session:
                for slot in self.slots:
                    chunks.give_back(session, slot.name)
        except Exception as error:
            if not is_infrastructure_error(error):
                raise
            log.warning("cannot give chunks back; their leases will run out")
        finally:
            store.close()

    def _slot(self, device: Device) -> Slot:
        """The first free name for a worker on this device: an orphan of an earlier launcher may still have one."""
        folder = self.settings.home_path / "workers"
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1000):
            suffix = f".{number}" if number else ""
            host = re.sub(r"[^\w.-]", "_", os.uname().nodename)
            name = f"{device.name}{suffix}@{host}"
            lock = (folder / f"{name}.lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            return Slot(device, name, lock)
        raise RuntimeError(f"a thousand workers of {device.name} are running here")


def _in_the_child(device: Device) -> None:
    """Between fork and exec: die with the launcher, use only one's own processors."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if device.processors:
        os.sched_setaffinity(0, device.processors)


def _signal(slot: Slot, number: signal.Signals) -> None:
    if slot.process is not None and slot.process.poll() is None:
        slot.process.send_signal(number)


def _kill_group(slot: Slot) -> None:
    if slot.process is not None:
        os.killpg(slot.process.pid, signal.SIGKILL)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
