"""The ten faults. Each strikes worker a, or a server, while documents are being worked on; worker b is healthy."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.queue_peers.site import Site
from benchmarks.queue_peers.workers import Part
from tests.faults.relay import Relay

#: That a server is away.
AWAY_SECONDS = 2.0
#: For how many leases a worker is frozen or cut off.
LEASES = 1.75


@dataclass(frozen=True)
class Struck:
    """What a fault can strike."""

    site: Site
    worker: Part
    relays: tuple[Relay, ...]


@dataclass(frozen=True)
class Fault:
    """Attributes:
    name: for people.
    strike: does it, and returns when it is over.
    planted: what document PLANTED does (behaviour.py).
    is_healthy: whether document PLANTED must have a result nevertheless.
    needs_redis: whether it only concerns peers that use Redis.
    """

    name: str
    strike: Callable[[Struck], None]
    planted: str = ""
    is_healthy: bool = True
    needs_redis: bool = False


def _kill(struck: Struck) -> None:
    struck.worker.signal_tree(signal.SIGKILL)


def _terminate(struck: Struck) -> None:
    struck.worker.terminate()


def _freeze(struck: Struck) -> None:
    struck.worker.signal_tree(signal.SIGSTOP)
    time.sleep(LEASES * struck.site.lease_seconds)
    struck.worker.signal_tree(signal.SIGCONT)


def _cut(struck: Struck) -> None:
    for relay in struck.relays:
        relay.cut()
    time.sleep(LEASES * struck.site.lease_seconds)
    for relay in struck.relays:
        relay.restore()


def _restart_redis(struck: Struck) -> None:
    struck.site.redis.kill()
    time.sleep(AWAY_SECONDS)
    struck.site.redis.start()


def _restart_postgres(struck: Struck) -> None:
    struck.site.postgres.kill()
    time.sleep(AWAY_SECONDS)
    struck.site.postgres.start()


def _flush_redis(struck: Struck) -> None:
    with struck.site.redis.client() as client:
        client.flushall()


def _nothing(struck: Struck) -> None:
    """The document does it."""


FAULTS = (
    Fault("worker killed", _kill),
    Fault("killed between result and acknowledgement", _nothing, "kill-once-written"),
    Fault("worker terminated", _terminate),
    Fault("Redis killed and restarted", _restart_redis, needs_redis=True),
    Fault("Redis flushed", _flush_redis, needs_redis=True),
    Fault("PostgreSQL killed and restarted", _restart_postgres),
    Fault("worker's connections cut", _cut),
    Fault("a document kills its process each time", _nothing, "kill", is_healthy=False),
    Fault("a document raises each time", _nothing, "raise", is_healthy=False),
    Fault("worker frozen longer than its lease", _freeze),
)
