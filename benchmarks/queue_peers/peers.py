"""What is compared: how each peer is prepared, given jobs and run, and with which settings."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.queue_peers import queues
from benchmarks.queue_peers.site import ROOT, Site

TASKS = "benchmarks.queue_peers.tasks"
_FILES = Path(__file__).parent / "tasks"
_RETRIES = "5 attempts, 1 to 4 s apart"


@dataclass(frozen=True)
class Peer:
    """A queue.

    Attributes:
        name: for people.
        settings: those that matter to speed and losses.
        table: where results are written.
        queue_in_redis: whether jobs are in Redis; otherwise they are in PostgreSQL.
        needs_redis: whether it uses Redis at all.
        worker, submit: commands.
        held: the documents that it still holds.
        prepare: commands that make its tables, once.
        beside: commands of processes that always run beside workers.
        batches: documents of a job that are measured.
        environment: more variables, which depend on the site.
    """

    name: str
    settings: str
    table: str
    queue_in_redis: bool
    needs_redis: bool
    worker: Callable[[Site], list[str]]
    submit: Callable[[Site], list[str]]
    held: Callable[[Site], set[int]]
    prepare: Callable[[Site, int], list[str]] | None = None
    beside: Callable[[Site], list[str]] | None = None
    batches: tuple[int, ...] = (1, 100)
    environment: Callable[[Site], dict[str, str]] = lambda _: {}


def _python(site: Site, *arguments: str) -> list[str]:
    return [str(site.peers / "bin" / "python"), "-m", *arguments]


def _procrastinate(site: Site, *arguments: str) -> list[str]:
    """Its application must not be made in the module that is run."""
    code = f"from {TASKS} import procrastinate_tasks; procrastinate_tasks.main()"
    return [str(site.peers / "bin" / "python"), "-c", code, *arguments]


def _node(site: Site, *arguments: str) -> list[str]:
    return [str(site.peers / "node_modules" / ".bin" / "node"), str(_FILES / arguments[0]), *arguments[1:]]


def _docmill(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


def _shorter_lease(site: Site) -> dict[str, str]:
    """The scheduler's other times, in proportion to the lease (defaults: 60, 2, 10 and 30 s)."""
    share = site.lease_seconds / 60
    return {
        "DOCMILL_LEASE_SECONDS": f"{site.lease_seconds:g}",
        "DOCMILL_TICK_SECONDS": f"{2 * share:g}",
        "DOCMILL_RESEND_SECONDS": f"{10 * share:g}",
        "DOCMILL_GRACE_SECONDS": f"{30 * share:g}",
    }


DOCMILL = Peer(
    name="docmill",
    settings="defaults; a batch is a chunk; in trials chunks of 10, and all times in proportion to the lease",
    table="outcome",
    queue_in_redis=False,
    needs_redis=True,
    worker=lambda site: _docmill(
        "docmill.cli", "worker", "--devices", f"cpu:{site.slots}", "--kinds", "count-words"
    ),
    submit=lambda _: _docmill(f"{TASKS}.docmill_submit"),
    held=queues.docmill,
    prepare=lambda _, n: _docmill(f"{TASKS}.docmill_submit", "prepare", str(n)),
    beside=lambda _: _docmill("docmill.cli", "scheduler"),
    batches=(100, 1000),
    environment=_shorter_lease,
)
PROCRASTINATE = Peer(
    name="procrastinate 3.10.0",
    settings=f"{_RETRIES}; a periodic task retries jobs of dead workers; heartbeat every third of the lease",
    table="peer_result",
    queue_in_redis=False,
    needs_redis=False,
    worker=lambda site: _python(site, "procrastinate", "--app", f"{TASKS}.procrastinate_tasks.app", "worker"),
    submit=_procrastinate,
    held=queues.procrastinate,
    prepare=lambda site, _: _procrastinate(site, "prepare"),
)
GRAPHILE = Peer(
    name="graphile-worker 0.18.0",
    settings="max_attempts 5, its own growing delays; jobs of a dead worker are freed after 4 hours (fixed)",
    table="peer_result",
    queue_in_redis=False,
    needs_redis=False,
    worker=lambda site: _node(site, "graphile.cjs", "worker"),
    submit=lambda site: _node(site, "graphile.cjs", "submit"),
    held=queues.graphile,
    prepare=lambda site, _: _node(site, "graphile.cjs", "prepare"),
)
BULLMQ = Peer(
    name="BullMQ 6.7.0",
    settings="5 attempts, backoff from 1 s; lockDuration, stalledInterval as the lease; maxStalledCount 1 (default)",
    table="peer_result",
    queue_in_redis=True,
    needs_redis=True,
    worker=lambda site: _node(site, "bullmq.cjs", "worker"),
    submit=lambda site: _node(site, "bullmq.cjs", "submit"),
    held=queues.bullmq,
)
DRAMATIQ = Peer(
    name="Dramatiq 2.2.1",
    settings=f"{_RETRIES}; heartbeat_timeout as the lease, maintenance_chance in proportion; one thread a process",
    table="peer_result",
    queue_in_redis=True,
    needs_redis=True,
    worker=lambda site: _python(
        site, "dramatiq", f"{TASKS}.dramatiq_tasks", "--processes", str(site.slots), "--threads", "1"
    ),
    submit=lambda site: _python(site, f"{TASKS}.dramatiq_tasks"),
    held=queues.dramatiq,
)
CELERY = Peer(
    name="Celery 5.7.0",
    settings=f"{_RETRIES}; acks_late, reject_on_worker_lost; visibility_timeout as the lease; prefork",
    table="peer_result",
    queue_in_redis=True,
    needs_redis=True,
    worker=lambda site: _python(
        site, "celery", "--app", f"{TASKS}.celery_tasks", "worker", "--concurrency", str(site.slots),
        "--hostname", f"{site.environment.get('PEERS_WORKER', 'a')}@%h", "--loglevel", "WARNING",
    ),
    submit=lambda site: _python(site, f"{TASKS}.celery_tasks"),
    held=queues.celery,
)  # fmt: skip
PEERS = (DOCMILL, PROCRASTINATE, GRAPHILE, BULLMQ, DRAMATIQ, CELERY)


def describe(peer: Peer) -> dict[str, Any]:
    """For the line of JSON."""
    return {
        "name": peer.name,
        "settings": peer.settings,
        "queue": "Redis" if peer.queue_in_redis else "PostgreSQL",
    }


__all__ = ["PEERS", "ROOT", "Peer", "describe"]
