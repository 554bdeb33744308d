"""A cluster of three hosts, with every process of docmill on one of them.

    a   PostgreSQL's primary, a Redis, a Sentinel, a scheduler
    b   PostgreSQL's standby, a Redis, a Sentinel, a scheduler, a worker
    c   a Sentinel, a worker

The hosts are network namespaces (tests.faults.hosts).
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil

from tests.faults.hosts import NamedHost, Network
from tests.faults.stack import ROOT, Stack, works
from tests.newer_docmill import environment_of
from tests.postgres_replica import Primary, Standby, both
from tests.redis_sentinel import SentinelRedis
from tests.servers import Server, until

#: Seconds for each document: a job takes longer than most faults.
DOCUMENT_SECONDS = 0.01
#: A command ends in this time, however slow the machine.
END_SECONDS = 120.0


class Cluster(Stack):
    """The three hosts, with everything on them."""

    def __init__(self, *, same_hostname: bool = False) -> None:
        self.network = Network("a", "b", "c")
        self.a, self.b, self.c = self.network.hosts
        self.hostnames = {"a": "a", "b": "b", "c": "b" if same_hostname else "c"}
        self.primary = Primary(_settings(self.a), self.a.prefix)
        self.primary.trust(f"{self.network.subnet}.0/24")
        self.primary.start()
        self.standby = Standby(self.a.ip, _settings(self.b), self.b.prefix)
        self.standby.start()
        until(self.primary.n_standbys, "the standby streaming")
        self.sentinel = SentinelRedis(self.network.hosts)
        #: The hosts that are there; one that was lost is not.
        self.alive = list(self.network.hosts)
        self.scheduler_of: dict[str, subprocess.Popen[bytes]] = {}
        self.worker_of: dict[str, subprocess.Popen[bytes]] = {}
        #: The version that is installed on a host, if it is not this one.
        self.tree_of: dict[str, Path] = {}
        #: How long what a trial did took: set by trials of maintenance.
        self.took_seconds: float | None = None
        # The tests look at the store through sockets, which no cut reaches.
        url = both(self.primary, self.standby)
        super().__init__("postgresql", redis=self.sentinel, url=url)  # type: ignore[arg-type]
        self.extra["DOCMILL_DATABASE_URL"] = f"postgresql://docmill@{self.a.ip},{self.b.ip}/postgres"

    @property
    def servers(self) -> list[Server]:
        """They are started and stopped here, by host."""
        return []

    def heal(self) -> None:
        """Start what is missing on the hosts that are there."""
        if self.sentinel.process is None:
            self.sentinel.start()
        for host in self.alive:
            if host is not self.c and not _runs(self.scheduler_of.get(host.name)):
                self.start_scheduler_on(host)
            if host is not self.a and not _runs(self.worker_of.get(host.name)):
                self.start_worker(host)
        self.n_workers = len(self._launchers())
        self.children()

    def start_scheduler_on(self, host: NamedHost) -> None:
        self.scheduler_of[host.name] = self.docmill_on(host, "scheduler")

    def start_worker(self, host: NamedHost) -> None:
        arguments = ("worker", "--devices", "cpu:1", "--kinds", self.kinds)
        self.worker_of[host.name] = self.docmill_on(host, *arguments)

    def docmill_on(self, host: NamedHost, *arguments: str) -> subprocess.Popen[bytes]:
        """A docmill command on a host, with the host's own name and home folder, of the version that is installed
        there."""
        self._home_of(host).mkdir(exist_ok=True)
        prefix = host.as_named(self.hostnames[host.name])
        tree = self.tree_of.get(host.name, ROOT)
        own = {"DOCMILL_HOME": str(self._home_of(host))} | environment_of(tree)
        return self.docmill(*arguments, environment=own, prefix=prefix, cwd=tree)

    def run_on(self, host: NamedHost, *arguments: str) -> None:
        """A docmill command on a host to its end, which is a good one."""
        status = self.docmill_on(host, *arguments).wait(END_SECONDS)
        assert status == 0, f"docmill {' '.join(arguments)} ended with {status}: {self.log(arguments[0])}"

    def submit(
        self, collection: str = "texts", *, per_chunk: int = 50, seconds: float = DOCUMENT_SECONDS
    ) -> int:
        return super().submit(collection, per_chunk=per_chunk, seconds=seconds)

    def lose(self, host: NamedHost) -> None:
        """The host is cut off and then loses power, for good: nobody is told."""
        host.unplug()
        self.alive.remove(host)
        for process in self.processes_on(host):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for node in self.sentinel.nodes:
            if node.host == host:
                node.kill()
        if host is self.a:
            self.primary.kill()
        self.n_workers = len(self._launchers())

    def stop(self) -> None:
        for host in self.network.hosts:
            host.plug_in()
        try:
            super().stop()
        finally:
            for server in (self.standby, self.primary, self.sentinel):
                server.kill()
                server.remove()
            self.network.remove()

    # --- its processes --------------------------------------------------------------------------------------------

    @property
    def parts(self) -> list[subprocess.Popen[bytes]]:
        return [*self.scheduler_of.values(), *self.worker_of.values()]

    def processes(self) -> list[psutil.Process]:
        return [process for host in self.network.hosts for process in self.processes_on(host)]

    def processes_on(self, host: NamedHost) -> list[psutil.Process]:
        """docmill's processes on a host, told by the home folder in their environment."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                home = process.environ().get("DOCMILL_HOME")
                if process.pid != os.getpid() and home == str(self._home_of(host)):
                    found.append(process)
        return found

    def parents(self) -> list[psutil.Process]:
        def all_there() -> list[psutil.Process]:
            with suppress(psutil.NoSuchProcess):
                found = [one for each in self._launchers() for one in psutil.Process(each.pid).children()]
                alive = [process for process in found if process.status() != psutil.STATUS_ZOMBIE]
                return alive if len(alive) == self.n_workers else []
            return []

        found: list[psutil.Process] = until(all_there, "a Celery worker on each host")
        return found

    def _children_now(self) -> list[psutil.Process]:
        found = []
        for launcher in self._launchers():
            with suppress(psutil.NoSuchProcess):
                for parent in psutil.Process(launcher.pid).children():
                    found += [child for child in parent.children() if works(child)]
        return found

    def _launchers(self) -> list[subprocess.Popen[bytes]]:
        return [self.worker_of[host.name] for host in self.alive if host.name in self.worker_of]

    def _home_of(self, host: NamedHost) -> Path:
        return self.folder / f"home-{host.name}"


def _settings(host: NamedHost) -> dict[str, str]:
    return {"listen_addresses": host.ip, "wal_receiver_timeout": "5s", "wal_sender_timeout": "5s"}


def _runs(process: subprocess.Popen[bytes] | None) -> bool:
    return process is not None and process.poll() is None
