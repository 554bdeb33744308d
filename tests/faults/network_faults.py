"""A network that is cut between the workers and a server, while everybody else still reaches it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from tests.faults.relay import Relay
from tests.faults.stack import LEASE_SECONDS, Database, Stack
from tests.faults.trial import N_DOCUMENTS, ON_POSTGRES, Fault, spread

Server = Literal["Redis", "the database"]


class CutOffStack(Stack):
    """A stack whose workers reach one of its servers through a relay only."""

    def __init__(self, database: Database, server: Server) -> None:
        super().__init__(database)
        listen = self.folder / ("r.sock" if server == "Redis" else ".s.PGSQL.5432")
        self.relay = Relay(listen, self._socket(server))
        if server == "Redis":
            self.through_relay = {"DOCMILL_REDIS_URL": f"unix://{listen}"}
        else:
            self.through_relay = {
                "DOCMILL_DATABASE_URL": f"postgresql+psycopg://docmill@/postgres?host={self.folder}"
            }
        self.relay.start()

    def start_launcher(self, environment: Mapping[str, str] | None = None) -> None:
        super().start_launcher(self.through_relay | dict(environment or {}))

    def stop(self) -> None:
        self.relay.restore()
        super().stop()
        self.relay.stop()

    def _socket(self, server: Server) -> Path:
        if server == "Redis":
            return self.redis.socket
        assert self.postgres is not None
        return self.postgres.folder / ".s.PGSQL.5432"


def _cut_off(server: Server) -> Callable[[Database], Stack]:
    def start(database: Database) -> Stack:
        stack = CutOffStack(database, server)
        try:
            stack.start([f"text {i}" for i in range(N_DOCUMENTS)])
        except BaseException:
            stack.stop()
            raise
        return stack

    return start


def partition(stack: Stack, job_id: int) -> int:
    """Cut for longer than the lease, so that others take the chunks over, then restored: what was under way
    arrives after all."""
    assert isinstance(stack, CutOffStack)
    assert stack.relay.n_bytes > 0, "the workers do not go through the relay"
    n = 0
    for _ in spread(stack, job_id, 2):
        stack.relay.cut()
        time.sleep(LEASE_SECONDS + 2)
        stack.relay.restore()
        n += 1
    return n


FAULTS = (
    Fault("workers cut off from Redis", partition, harmless=True, own_stack=_cut_off("Redis")),
    Fault(
        "workers cut off from the database",
        partition,
        databases=ON_POSTGRES,
        own_stack=_cut_off("the database"),
    ),
)
