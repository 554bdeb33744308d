"""Dramatiq on Redis: acknowledged when done, redelivered when the worker's heartbeat is too old.

The default heartbeat timeout is 60 s, and one command of a thousand looks for dead workers. With a shorter timeout
they are looked for more often by the same factor.
"""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import DEFAULT_HEARTBEAT_TIMEOUT, DEFAULT_MAINTENANCE_CHANCE, RedisBroker

from benchmarks.queue_peers.tasks import submitting, work

_timeout = int(float(os.environ["PEERS_LEASE"]) * 1000)
broker = RedisBroker(
    url=f"unix://{os.environ['PEERS_REDIS']}",
    heartbeat_timeout=_timeout,
    maintenance_chance=DEFAULT_MAINTENANCE_CHANCE * DEFAULT_HEARTBEAT_TIMEOUT // _timeout,
)
dramatiq.set_broker(broker)


@dramatiq.actor(actor_name="count", max_retries=4, min_backoff=1_000, max_backoff=4_000)
def count(_name: str, job: int, documents: list[int]) -> None:
    work.run(job, documents)


def add(job: int, n: int, batch: int) -> None:
    """One message at a time: Dramatiq has no other way."""
    for documents in work.batches(n, batch):
        count.send(work.name(documents), job, documents)


if __name__ == "__main__":
    submitting.submit(add)
