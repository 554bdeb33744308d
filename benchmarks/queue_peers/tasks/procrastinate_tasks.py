"""procrastinate on PostgreSQL, with the periodic task of its documentation that retries the jobs of dead workers."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import procrastinate

from benchmarks.queue_peers.tasks import submitting, work

LEASE_SECONDS = float(os.environ["PEERS_LEASE"])
_often = "*/2" if LEASE_SECONDS < 30 else "*/10"
app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ["PEERS_POSTGRES"]),
    worker_defaults={
        "concurrency": int(os.environ["PEERS_SLOTS"]),
        "update_heartbeat_interval": LEASE_SECONDS / 3,
        "stalled_worker_timeout": LEASE_SECONDS,
    },
)


@app.task(name="count", retry=procrastinate.RetryStrategy(max_attempts=5, wait=1, linear_wait=1))
def count(job: int, documents: list[int]) -> None:
    work.run(job, documents)


@app.periodic(cron=f"* * * * * {_often}")
@app.task(queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(_: procrastinate.JobContext, timestamp: int) -> None:  # noqa: ARG001
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=LEASE_SECONDS):
        await app.job_manager.retry_job(job)


async def _prepare() -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


def add(job: int, n: int, batch: int) -> None:
    """A thousand jobs a statement."""

    async def defer() -> None:
        async with app.open_async():
            jobs: list[dict[str, Any]] = [{"job": job, "documents": each} for each in work.batches(n, batch)]
            for start in range(0, len(jobs), work.ADDED_AT_ONCE):
                await count.batch_defer_async(*jobs[start : start + work.ADDED_AT_ONCE])

    asyncio.run(defer())


def main() -> None:
    """Called with `python -c`: procrastinate's App must not be made in the module that is run."""
    asyncio.run(_prepare()) if sys.argv[1:] == ["prepare"] else submitting.submit(add)
