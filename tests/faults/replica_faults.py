"""Faults of a PostgreSQL with a standby: the primary's host is lost, and the standby takes its place.

With synchronous replication nothing may be lost. With asynchronous replication the last commits are: here, on purpose,
all of a second or more. What is left is the store as it was a moment ago, and the job must end right all the same.
"""

from __future__ import annotations

import shutil
from contextlib import suppress

from tests.faults.relay import Relay
from tests.faults.stack import Database, Stack
from tests.faults.trial import END_SECONDS, N_DOCUMENTS, ON_POSTGRES, Fault, spread
from tests.postgres_replica import Primary, Standby, both
from tests.servers import Server, short_folder, until

#: The least number of outcomes that are lost with an asynchronous standby.
N_LOST = 100


class ReplicatedStack(Stack):
    """A stack whose database is a primary and a standby, which reaches the primary through a relay."""

    def __init__(self, *, synchronous: bool) -> None:
        self.primary = Primary()
        self.primary.start()
        self.link = short_folder("dm-link-")
        self.link.chmod(0o777)
        self.relay = Relay(self.link / ".s.PGSQL.5432", self.primary.folder / ".s.PGSQL.5432")
        self.relay.start()
        self.standby = Standby(self.link)
        self.standby.start()
        until(self.primary.n_standbys, "the standby streaming")
        if synchronous:
            self.primary.wait_for_standby()
        self.synchronous = synchronous
        super().__init__("postgresql", url=both(self.primary, self.standby))

    @property
    def servers(self) -> list[Server]:
        """The databases are started and stopped here: a primary that was lost stays away."""
        return [self.redis]

    def stop(self) -> None:
        self.relay.restore()
        super().stop()
        self.relay.stop()
        for server in (self.primary, self.standby):
            server.kill()
            server.remove()
        shutil.rmtree(self.link)


def _replicated(*, synchronous: bool):  # type: ignore[no-untyped-def]
    def start(_: Database) -> Stack:
        stack = ReplicatedStack(synchronous=synchronous)
        try:
            stack.start([f"text {i}" for i in range(N_DOCUMENTS)])
        except BaseException:
            stack.stop()
            raise
        return stack

    return start


def lose_primary(stack: Stack, job_id: int) -> int:
    """With a synchronous standby: what was done before is still done."""
    assert isinstance(stack, ReplicatedStack)
    for _ in spread(stack, job_id, 1):
        before = stack.n_done(job_id)
        stack.primary.kill()
        stack.standby.promote()
        assert stack.n_done(job_id) >= before, "the standby has less than was committed"
    return 1


def lose_primary_and_commits(stack: Stack, job_id: int) -> int:
    """The link to the standby is cut for a while before the primary is lost: the outcomes that were written meanwhile,
    and a job that was submitted, are gone."""
    assert isinstance(stack, ReplicatedStack)
    stack.relay.cut()
    start = stack.n_done(job_id)
    forgotten = stack.submit()
    until(
        lambda: stack.n_done(job_id) >= start + N_LOST, "outcomes that the standby does not have", END_SECONDS
    )
    before = stack.n_done(job_id)
    stack.primary.kill()
    with suppress(OSError):
        stack.relay.target.unlink()
    stack.standby.promote()
    assert stack.n_done(job_id) < before, "nothing was lost"
    assert not stack.rows("SELECT id FROM job WHERE id = :job", job=forgotten)
    return 1


FAULTS = (
    Fault(
        "PostgreSQL failover, synchronous",
        lose_primary,
        databases=ON_POSTGRES,
        harmless=True,
        own_stack=_replicated(synchronous=True),
    ),
    Fault(
        "PostgreSQL failover, asynchronous",
        lose_primary_and_commits,
        databases=ON_POSTGRES,
        harmless=True,
        own_stack=_replicated(synchronous=False),
    ),
)
