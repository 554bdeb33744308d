"""Flower on a Redis under Sentinel: what it shows through a failover, and the one page that it cannot keep."""

from __future__ import annotations

import pytest

from tests.faults.sentinel_faults import SentinelStack
from tests.security.production import free_port
from tests.servers import missing_redis, until
from tests.workers.test_flower import GOOD, PASSWORD, Watched, run

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.long]


def test_flower_follows_a_failover() -> None:
    if missing := missing_redis():
        pytest.skip(missing)
    stack = SentinelStack("sqlite", n_workers=1)
    watched = Watched(stack, free_port())
    flower = None
    try:
        stack.start(GOOD)
        arguments = ("flower", "--port", str(watched.port))
        flower = stack.docmill(*arguments, environment={"FLOWER_BASIC_AUTH": PASSWORD})
        until(watched.answers, "Flower's workers")
        assert watched.ended(run(watched, "texts"))["state"] == "SUCCESS"
        until(lambda: _shows_queues(watched), "the queues on Flower's page")

        stack.sentinel.fail_over()

        # Events are not kept: what runs before Flower has subscribed again is missing there.
        until(lambda: watched.tasks_of(run(watched, "texts")), "a task in Flower after the failover")
        until(lambda: _shows_queues(watched), "the queues on Flower's page after the failover")
        assert flower.poll() is None

        # Its page Broker asks the first Sentinel of the URL and no other; the rest goes on.
        stack.sentinel.sentinels[0].kill()
        assert not _shows_queues(watched)
        until(lambda: watched.tasks_of(run(watched, "texts")), "a task in Flower without that Sentinel")
    finally:
        if flower is not None:
            flower.terminate()
            flower.wait(30)
        stack.stop()


def _shows_queues(watched: Watched) -> bool:
    """Flower knows the queues from the workers, which it has to have asked."""
    return watched.answers() and "docmill.oracle" in watched.ask("/broker")
