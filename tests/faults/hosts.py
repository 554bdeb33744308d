"""Hosts that are network namespaces on one bridge, each with its own address, hostname and cable. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

from tests.redis_sentinel import Host


def missing_namespaces() -> str | None:
    """Why there can be no such hosts here; None if there can."""
    if os.getuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        return "`ip` or `unshare` is not installed: apt-get install iproute2 util-linux"
    probe = f"dmp{os.getpid()}"
    commands = (
        f"ip netns add {probe}",
        f"ip link add {probe} type bridge",
        f"ip link del {probe}",
        f"ip netns del {probe}",
    )
    for command in commands:
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            subprocess.run(["ip", "netns", "del", probe], capture_output=True, check=False)
            return f"no network namespaces here: `{command}` says: {done.stderr.strip()}"
    return None


@dataclass(frozen=True)
class NamedHost(Host):
    """A host with a name, in the network namespace `space`, whose cable ends at the bridge's port `port`."""

    name: str = ""
    space: str = ""
    port: str = ""

    def as_named(self, name: str) -> tuple[str, ...]:
        """What stands before a command that runs there under this hostname."""
        return (*self.prefix, "unshare", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"', name)

    def unplug(self) -> None:
        """Pull the cable: nothing comes or goes, and nobody is told."""
        _ip("link", "set", self.port, "down")

    def plug_in(self) -> None:
        _ip("link", "set", self.port, "up")


class Network:
    """A bridge, which the tests themselves reach, and the hosts on it."""

    def __init__(self, *names: str) -> None:
        # One network for each process that makes one, so that two do not meet.
        self._tag = f"dm{os.getpid() % 1_000_000}"
        self._bridge = f"{self._tag}br"
        self.subnet = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self.subnet}.254/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        self.hosts = [self._host(name, i) for i, name in enumerate(names, 1)]

    def _host(self, name: str, number: int) -> NamedHost:
        space, port = f"{self._tag}{name}", f"{self._tag}{name}0"
        inside = ("ip", "netns", "exec", space)
        ip = f"{self.subnet}.{number}"
        _ip("netns", "add", space)
        _ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("link", "set", port, "master", self._bridge, "up")
        for words in ("link set lo up", f"addr add {ip}/24 dev eth0", "link set eth0 up"):
            _ip("-n", space, *words.split())
        return NamedHost(ip, inside, name, space, port)

    def remove(self) -> None:
        for host in self.hosts:
            # The kernel would remove it with the namespace, but some time later.
            _ip("link", "del", host.port)
            _ip("netns", "del", host.space)
        _ip("link", "del", self._bridge)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
