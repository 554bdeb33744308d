"""Real Redis servers under real Sentinels: two of the one, three of the other, on TCP, each a process of its own."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers import Server, short_folder, until

#: What the Sentinels call the primary.
NAME = "docmill"
#: A primary that is silent for this long is down.
DOWN_SECONDS = 0.6


@dataclass(frozen=True)
class Host:
    """Where a server runs: an address, and what stands before its command to get there."""

    ip: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()


@dataclass(frozen=True)
class Guard:
    """What a server asks of its clients."""

    #: Of the user "default".
    password: str = ""
    #: The folder of ca.crt, here.crt and here.key: TLS, and no client without a certificate.
    tls: Path | None = None

    def listening(self, port: int) -> list[tuple[str, str]]:
        """The options of a server that listens there."""
        if self.tls is None:
            return [("port", str(port))]
        return [("port", "0"), ("tls-port", str(port)), ("tls-replication", "yes"),
                ("tls-cert-file", f"{self.tls}/here.crt"), ("tls-key-file", f"{self.tls}/here.key"),
                ("tls-ca-cert-file", f"{self.tls}/ca.crt")]  # fmt: skip

    def client_options(self) -> dict[str, Any]:
        login = {"password": self.password} if self.password else {}
        return login | ({"ssl": True} | self.files() if self.tls else {})

    def files(self) -> dict[str, str]:
        """The parameters of a URL."""
        return {"ssl_ca_certs": f"{self.tls}/ca.crt", "ssl_certfile": f"{self.tls}/here.crt",
                "ssl_keyfile": f"{self.tls}/here.key"}  # fmt: skip


OPEN = Guard()


class Node(Server):
    """A server of the program redis-server, or of another that does the same, listening on TCP."""

    def __init__(self, host: Host, port: int, program: str = "redis-server", guard: Guard = OPEN) -> None:
        self.host, self.port, self.program, self.guard = host, port, program, guard
        self.folder = short_folder("dm-node-")

    @property
    def address(self) -> tuple[str, int]:
        return self.host.ip, self.port

    def client(self) -> redis.Redis:
        return redis.Redis(
            *self.address,
            socket_timeout=3,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 0),
            **self.guard.client_options(),
        )

    def _run(self, *arguments: str) -> None:
        command = [*self.host.prefix, self.program, *arguments]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until(self._answers, f"{self.program} answering on port {self.port}")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False


class RedisNode(Node):
    """A primary or a replica, without persistence."""

    def start(self, primary: RedisNode | None = None) -> None:
        options = [*self.guard.listening(self.port), ("bind", self.host.ip), ("protected-mode", "no"), ("save", ""),
                   ("dir", str(self.folder)), ("repl-diskless-sync-delay", "0"),
                   ("replica-announce-ip", self.host.ip)]  # fmt: skip
        if self.guard.password:
            options += [("requirepass", self.guard.password), ("masterauth", self.guard.password)]
        if primary is not None:
            options.append(("replicaof", f"{primary.host.ip} {primary.port}"))
        self._run(*(word for name, value in options for word in (f"--{name}", value)))

    def is_in_step(self) -> bool:
        """Whether it is a replica that has the primary's data."""
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return client.info("replication").get("master_link_status") == "up"
        return False


class SentinelNode(Node):
    """One Sentinel. It knows the others from the start, instead of hearing of them after seconds."""

    def start(self, primary: RedisNode, others: Sequence[SentinelNode]) -> None:
        config = self.folder / "sentinel.conf"
        if not config.exists():
            lines = [*(f"{name} {value}" for name, value in self.guard.listening(self.port)), f"bind {self.host.ip}",
                     "protected-mode no", f"dir {self.folder}", f"sentinel myid {self.id}",
                     f"sentinel monitor {NAME} {primary.host.ip} {primary.port} 2",
                     f"sentinel down-after-milliseconds {NAME} {DOWN_SECONDS * 1000:.0f}",
                     f"sentinel failover-timeout {NAME} 3000",
                     *(f"sentinel known-sentinel {NAME} {other.host.ip} {other.port} {other.id}"
                       for other in others)]  # fmt: skip
            if password := self.guard.password:
                lines += [f"sentinel auth-pass {NAME} {password}", f"requirepass {password}",
                          f"sentinel sentinel-pass {password}"]  # fmt: skip
            config.write_text("\n".join(lines) + "\n")
        self._run(str(config), "--sentinel")

    @cached_property
    def id(self) -> str:
        return secrets.token_hex(20)

    def primary(self) -> tuple[str, int] | None:
        """The address that it names; None if it does not answer."""
        with contextlib.suppress(redis.RedisError), self.client() as client:
            state = client.sentinel_master(NAME)
            return str(state["ip"]), int(state["port"])
        return None

    def n_usable_replicas(self) -> int:
        """The replicas that it would promote."""
        with contextlib.suppress(redis.RedisError), self.client() as client:
            replicas = client.sentinel_slaves(NAME)
            return sum(not one["is_sdown"] and one["master-link-status"] == "ok" for one in replicas)
        return 0


class SentinelRedis(Server):
    """Two Redis servers and three Sentinels; as a whole, what a stack takes for its Redis."""

    def __init__(
        self, hosts: Sequence[Host] = (Host(),) * 3, program: str = "redis-server", guard: Guard = OPEN
    ) -> None:
        ports = free_ports(5)
        self.guard = guard
        self.redises = [RedisNode(hosts[i], ports[i], program, guard) for i in range(2)]
        self.sentinels = [SentinelNode(hosts[i], ports[2 + i], program, guard) for i in range(3)]

    @property
    def url(self) -> str:
        sentinels = ",".join(f"{ip}:{port}" for ip, port in (one.address for one in self.sentinels))
        login, parameters = "", {}
        if self.guard.password:
            login, parameters = f":{self.guard.password}@", {"sentinel_password": self.guard.password}
        if self.guard.tls:
            parameters |= self.guard.files()
        query = f"?{urlencode(parameters)}" if parameters else ""
        return f"sentinel{'s' if self.guard.tls else ''}://{login}{sentinels}/{NAME}/0{query}"

    @property
    def nodes(self) -> list[Node]:
        return [*self.redises, *self.sentinels]

    def start(self) -> None:
        """Start what does not run, and wait until a failover is possible."""
        is_new = not any(one.process for one in self.sentinels)
        primary = self.redises[0] if is_new else self.primary
        for one in self.redises:
            if one.process is None:
                one.start(None if one is primary else primary)
        for sentinel in self.sentinels:
            if sentinel.process is None:
                sentinel.start(primary, [other for other in self.sentinels if other is not sentinel])
        self.process = self.sentinels[0].process
        until(self.is_ready, "a replica that the Sentinels would promote")

    def is_ready(self) -> bool:
        return all(one.n_usable_replicas() for one in self.sentinels if one.process is not None)

    @property
    def primary(self) -> RedisNode:
        """The server that most Sentinels name."""
        named = [one.primary() for one in self.sentinels if one.process is not None]
        found = max(set(named) - {None}, key=named.count)
        [node] = [one for one in self.redises if one.address == found]
        return node

    def fail_over(self) -> RedisNode:
        """Kill the primary, and wait until another has its place; the one that was killed."""
        old = self.primary
        old.kill()
        self.await_another(old)
        return old

    def await_another(self, old: RedisNode) -> None:
        """Until every Sentinel names another primary than this, and it says so itself."""

        def replaced() -> bool:
            named = {one.primary() for one in self.sentinels if one.process is not None}
            if len(named) != 1 or named == {old.address}:
                return False
            with contextlib.suppress(redis.RedisError), self.primary.client() as client:
                return str(client.info("replication")["role"]) == "master"
            return False

        until(replaced, "a new primary")

    def client(self) -> redis.Redis:
        return self.primary.client()

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()
        self.process = None

    def freeze(self) -> None:
        for node in self.nodes:
            node.freeze()

    def thaw(self) -> None:
        for node in self.nodes:
            if node.process is not None:
                node.thaw()

    def stop(self) -> None:
        self.kill()

    def remove(self) -> None:
        for node in self.nodes:
            node.remove()


def free_ports(n: int) -> list[int]:
    """Ports that nobody uses now, all different."""
    import socket

    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
