"""One small production for all of these tests: starting it is what takes the time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.security.production import BODY, Production
from tests.servers import PostgresServer, missing_redis, until

#: One text for each way in which a runner can spill it.
TEXTS = ("raise", "machine", "refuse", "unstorable", "plain")
#: A chunk of these is a failed Celery task.
FAILING = ("raise", "refuse", "unstorable")


@pytest.fixture(scope="session")
def production(postgres_server: PostgresServer) -> Iterator[Production]:
    """Up, with a job over `TEXTS` done, and one over `FAILING`."""
    if missing := missing_redis():
        pytest.skip(missing)
    stack = Production(postgres_server)
    try:
        stack.start([f"{word} {BODY} {i}" for i, word in enumerate(TEXTS)])
        until(stack.flower_answers, "Flower answering")
        stack.finish(stack.submit())
        stack.add([f"{word} {BODY} again {i}" for i, word in enumerate(FAILING)], "failing")
        stack.finish(stack.submit("failing"))
        yield stack
    finally:
        stack.stop()
