"""Faults of the database: killed, restarted, cut off, locked by somebody who stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
from sqlalchemy import text

from tests.faults.stack import LEASE_SECONDS, ROOT, Database, Stack
from tests.faults.trial import N_DOCUMENTS, ON_POSTGRES, ON_SQLITE, Fault, spread
from tests.servers import PgBouncer, Server, missing_pgbouncer, until


def kill_postmaster(stack: Stack, job_id: int) -> int:
    assert stack.postgres is not None
    n = 0
    for _ in spread(stack, job_id, 2):
        stack.postgres.kill()
        stack.postgres.start()
        n += 1
    return n


def restart_fast(stack: Stack, job_id: int) -> int:
    assert stack.postgres is not None
    n = 0
    for _ in spread(stack, job_id, 3):
        stack.postgres.stop()
        stack.postgres.start()
        n += 1
    return n


def cut_connections(stack: Stack, job_id: int) -> int:
    assert stack.postgres is not None
    n = 0
    for _ in spread(stack, job_id, 20):
        stack.postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
        )
        n += 1
    return n


def freeze(stack: Stack, job_id: int) -> int:
    """Nobody hears from it for longer than a lease, as when the network is cut; then all go on where they were."""
    assert stack.postgres is not None
    assert stack.postgres.process is not None
    server = psutil.Process(stack.postgres.process.pid)
    processes = [server, *server.children(recursive=True)]
    for process in processes:
        process.suspend()
    time.sleep(LEASE_SECONDS + 2)
    for process in processes:
        process.resume()
    return 1


def jump(days: int) -> Callable[[Stack, int], int]:
    """The clock that counts is the database's. Setting it is, for docmill, the same as moving every time stored."""

    def inject(stack: Stack, job_id: int) -> int:
        n = 0
        for _ in spread(stack, job_id, 2):
            with stack.store.write() as session:
                session.execute(text(_MOVE_TIMES[stack.database]), {"days": -days})
            n += 1
        return n

    return inject


class BouncedStack(Stack):
    """A stack all of whose parts reach PostgreSQL through pgbouncer, in transaction mode."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        assert self.postgres is not None
        self.bouncer = PgBouncer(self.postgres)
        self.extra["DOCMILL_DATABASE_URL"] = self.bouncer.url()

    @property
    def servers(self) -> list[Server]:
        return [*super().servers, self.bouncer]


def behind_pgbouncer(database: Database) -> Stack:
    stack = BouncedStack(database)
    try:
        stack.start([f"text {i}" for i in range(N_DOCUMENTS)])
    except BaseException:
        stack.stop()
        raise
    return stack


def kill_pgbouncer(stack: Stack, job_id: int) -> int:
    """Every connection is cut in the middle of whatever it does, and a moment later there is a new pgbouncer."""
    assert isinstance(stack, BouncedStack)
    n = 0
    for _ in spread(stack, job_id, 3):
        stack.bouncer.kill()
        stack.bouncer.start()
        n += 1
    assert not stack.rows("SELECT id FROM chunk WHERE fault LIKE '%prepared statement%'")
    return n


_MOVE_TIMES = {
    "sqlite": "UPDATE chunk SET lease_until = strftime('%Y-%m-%d %H:%M:%f000', lease_until, :days || ' days'),"
    " sent_at = strftime('%Y-%m-%d %H:%M:%f000', sent_at, :days || ' days') WHERE state <> 'closed'",
    "postgresql": "UPDATE chunk SET lease_until = lease_until + :days * interval '1 day',"
    " sent_at = sent_at + :days * interval '1 day' WHERE state <> 'closed'",
}

#: Claims a chunk, says so, and never commits.
_CLAIM_AND_STOP = """
import sys, time
from sqlalchemy import text
from db import chunks
from db.store import Store
with Store(sys.argv[1]).write() as session:
    ids = session.execute(text("SELECT id FROM chunk WHERE state = 'ready' ORDER BY id DESC")).scalars().all()
    me = chunks.Holder("stopped", "stopped.1")
    claim = next((c for c in (chunks.claim(session, i, me, 60) for i in ids) if c), None)
    print("claimed" if claim else "nothing left", flush=True)
    time.sleep(600)
"""


def stopped_in_transaction(stack: Stack, job_id: int) -> int:
    """A process is stopped after its claim and before its commit, and killed later: as if it had never been."""
    code = [sys.executable, "-c", _CLAIM_AND_STOP, stack.url]
    with subprocess.Popen(code, cwd=ROOT, stdout=subprocess.PIPE, env=stack.environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() in (b"claimed\n", b"nothing left\n"), "the claim failed"
        process.send_signal(signal.SIGSTOP)
        if not stack.store.is_sqlite:
            # Row locks hold up nobody but those who want that row. SQLite has one lock for all.
            before = stack.n_done(job_id)
            until(
                lambda: stack.n_done(job_id) > before or stack.state(job_id) != "running", "others going on"
            )
        process.kill()
    return 1


FAULTS = (
    Fault("kill -9 of the postmaster", kill_postmaster, databases=ON_POSTGRES, quick=ON_POSTGRES),
    Fault("PostgreSQL restarted in fast mode", restart_fast, databases=ON_POSTGRES),
    Fault("every connection to PostgreSQL cut", cut_connections, databases=ON_POSTGRES),
    *(
        ()
        if missing_pgbouncer()
        else (
            Fault(
                "PostgreSQL behind pgbouncer, which is killed",
                kill_pgbouncer,
                databases=ON_POSTGRES,
                quick=ON_POSTGRES,
                harmless=True,
                own_stack=behind_pgbouncer,
            ),
        )
    ),
    Fault("PostgreSQL silent for longer than the lease", freeze, databases=ON_POSTGRES),
    Fault("the clock a day ahead", jump(1)),
    Fault("the clock a day behind", jump(-1)),
    Fault("a process stopped inside a transaction", stopped_in_transaction, quick=ON_SQLITE),
)
