"""A flow of Prefect: add the day's documents, submit the night's jobs, wait for each, and fail if too many documents
failed.

    pip install prefect 'docmill[http]'
    export DOCMILL_SERVER_URL=http://127.0.0.1:8484 DOCMILL_SERVER_KEY=docmill_...
    python examples/orchestrators/prefect_flow.py examples/documents/filings
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import night_jobs
from prefect import flow, task

add = task(night_jobs.add, retries=2, retry_delay_seconds=30)
submit = task(night_jobs.submit, retries=2, retry_delay_seconds=30)
# A job that was judged is judged the same again.
finish = task(night_jobs.finish)


@flow(name="docmill-night", log_prints=True)
def night(
    paths: list[str], collection: str = "inbox", day: str | None = None, most_failed: float = 0.01
) -> list[dict[str, int]]:
    """The jobs run at the same time. `day` makes their keys: the flow run again for a day finds its jobs."""
    day = day or f"{datetime.now(UTC):%Y-%m-%d}"
    add(paths, collection)
    numbers = [submit(kind, collection, f"night {day}") for kind in ("summarize", "keywords")]
    judged = [finish.submit(number, most_failed) for number in numbers]
    return [each.result() for each in judged]


if __name__ == "__main__":
    print(night(sys.argv[1:]))
