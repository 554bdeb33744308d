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
        assert "docmill.oracle" in watched.ask("/broker")

        stack.sentinel.fail_over()

        assert watched.ended(run(watched, "texts"))["state"] == "SUCCESS"
        until(watched.answers, "Flower's workers after the failover")
        assert "docmill.oracle" in watched.ask("/broker")
        assert flower.poll() is None

        # Its page Broker asks the first Sentinel of the URL and no other; the rest goes on.
        stack.sentinel.sentinels[0].kill()
        assert "docmill.oracle" not in watched.ask("/broker")
        assert watched.ended(run(watched, "texts"))["state"] == "SUCCESS"
    finally:
        if flower is not None:
            flower.terminate()
            flower.wait(30)
        stack.stop()
