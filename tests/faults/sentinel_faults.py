"""Faults of a Redis under Sentinel: its primary is killed or asked to step down, and a replica takes its place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import redis

from tests.faults.stack import Database, Stack
from tests.faults.trial import N_DOCUMENTS, ON_SQLITE, Fault, spread
from tests.redis_sentinel import NAME, SentinelRedis
from tests.servers import until


class SentinelStack(Stack):
    """A stack whose Redis is a primary and a replica under three Sentinels."""

    def __init__(self, database: Database, *, n_workers: int = 2) -> None:
        self.sentinel = SentinelRedis()
        super().__init__(database, n_workers=n_workers, redis=self.sentinel)  # type: ignore[arg-type]


def _under_sentinel(database: Database) -> Stack:
    stack = SentinelStack(database)
    try:
        stack.start([f"text {i}" for i in range(N_DOCUMENTS)])
    except BaseException:
        stack.stop()
        raise
    return stack


def _each_time(hurt: Callable[[SentinelRedis], None]) -> Callable[[Stack, int], int]:
    """The fault twice in a job; no process of docmill may end by it."""

    def inject(stack: Stack, job_id: int) -> int:
        assert isinstance(stack, SentinelStack)
        before = {process.pid for process in [*stack.parents(), *stack.children()]}
        n = 0
        for _ in spread(stack, job_id, 2):
            hurt(stack.sentinel)
            n += 1
        assert {process.pid for process in [*stack.parents(), *stack.children()]} == before
        assert all(part.poll() is None for part in stack.parts)
        return n

    return inject


def kill_primary(sentinel: SentinelRedis) -> None:
    """The replica takes its place; the one that was killed comes back as the replica of that."""
    sentinel.fail_over()
    sentinel.start()


def step_down(sentinel: SentinelRedis) -> None:
    """Asked for, as before maintenance: the old primary lives on, and refuses writes from then on."""
    old = sentinel.primary

    def asked() -> bool:
        with suppress(redis.exceptions.ResponseError), sentinel.sentinels[0].client() as client:
            return bool(client.execute_command("SENTINEL FAILOVER", NAME))
        return False

    until(asked, "the Sentinel taking the order")
    sentinel.await_another(old)
    until(old.is_in_step, "the old primary as a replica")
    until(sentinel.is_ready, "a replica that the Sentinels would promote")


FAULTS = (
    Fault(
        "Redis failover: the primary killed",
        _each_time(kill_primary),
        quick=ON_SQLITE,
        harmless=True,
        own_stack=_under_sentinel,
    ),
    Fault("Redis failover asked for", _each_time(step_down), harmless=True, own_stack=_under_sentinel),
)
