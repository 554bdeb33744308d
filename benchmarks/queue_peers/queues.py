"""Which documents a queue still holds: waiting, running, or to be tried again later. Not those that it has given up."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from benchmarks.queue_peers.site import Site

_NAME = re.compile(rb"document-(\d+)-")


def celery(site: Site) -> set[int]:
    """Messages in the queue, and those not acknowledged (a retry's too)."""
    with site.redis.client() as client:
        return _named([*client.lrange("celery", 0, -1), *client.hvals("unacked")])


def dramatiq(site: Site) -> set[int]:
    """Messages of the queue and of its delayed part; those given up are in `default.XQ`."""
    with site.redis.client() as client:
        return _named(client.hvals("dramatiq:default.msgs") + client.hvals("dramatiq:default.DQ.msgs"))


def bullmq(site: Site) -> set[int]:
    """Jobs in any state but completed (they are removed) and failed."""
    with site.redis.client() as client:
        jobs: list[Any] = []
        for state in ("wait", "active", "paused"):
            jobs += client.lrange(f"bull:peers:{state}", 0, -1)
        for state in ("delayed", "prioritized"):
            jobs += client.zrange(f"bull:peers:{state}", 0, -1)
        return _named(jobs)


def procrastinate(site: Site) -> set[int]:
    return _from_sql(
        site,
        """SELECT jsonb_array_elements(args->'documents')::bigint FROM procrastinate_jobs
           WHERE task_name = 'count' AND status IN ('todo', 'doing')""",
    )


def graphile(site: Site) -> set[int]:
    """Jobs that are done are removed; those given up have used all attempts."""
    return _from_sql(
        site,
        """SELECT json_array_elements_text(payload->'documents')::bigint FROM graphile_worker._private_jobs
           WHERE attempts < max_attempts OR locked_at IS NOT NULL""",
    )


def docmill(site: Site) -> set[int]:
    """The documents of a job that has not ended, which have no outcome yet."""
    return _from_sql(
        site,
        """SELECT d.id FROM document d, job j WHERE j.state <> 'finished'
           AND NOT EXISTS (SELECT FROM outcome o WHERE o.job_id = j.id AND o.document_id = d.id)""",
    )


def _named(values: Iterable[bytes]) -> set[int]:
    return {int(found[1]) for value in values if (found := _NAME.search(value))}


def _from_sql(site: Site, query: str) -> set[int]:
    with site.connect() as connection:
        return {document for (document,) in connection.execute(query)}  # type: ignore[arg-type]
