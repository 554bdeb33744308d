"""The view of workers and schedulers: the registry, joined with what they hold by their leases and with the drains."""

from __future__ import annotations

from collections.abc import Mapping

from db.view import View

#: db.registry.LOST_SECONDS, which a test compares.
GONE_SECONDS = 90

#: The drains that name a worker.
_DRAINS = """
FROM drain d WHERE w.role = 'worker' AND ((d.level = 'host' AND d.target = w.host)
     OR (d.level = 'name' AND d.target = w.name) OR (d.level = 'instance' AND d.target = w.instance))
"""

#: What the workers hold, counted once for all of them.
_HELD = """
SELECT LAUNCHED[k.instance] AS launched, COUNT(*) AS n_chunks, CAST(SUM(k.n_documents) AS BIGINT) AS n_documents,
       MIN(k.lease_until) AS lease_until
FROM chunk k WHERE k.state = 'leased' GROUP BY LAUNCHED[k.instance]
"""

#: The oldest schema whose code may work on this store (db.compatibility). It depends on no worker, so that it is read
#: once, and the planner does not expect many rows.
_SINCE = """
SELECT COALESCE((SELECT t.since FROM tolerance t JOIN alembic_version a ON a.version_num = t.schema_revision),
                (SELECT v.version_num FROM alembic_version v))
"""

_WORKERS = f"""
SELECT w.instance, w.role, w.name, w.host, w.pid, w.device, w.kinds,
       CASE WHEN SECONDS[w.last_seen_at, CLOCK[]] > {GONE_SECONDS} THEN 'gone'
            WHEN w.schema_revision < ({_SINCE}) THEN 'outdated'
            WHEN w.role = 'scheduler' THEN 'running'
            WHEN w.phase IN ('draining', 'drained') THEN w.phase
            WHEN EXISTS (SELECT 1 {_DRAINS}) THEN 'draining'
            WHEN w.phase = 'starting' THEN w.phase
            WHEN h.n_chunks > 0 THEN 'busy'
            ELSE 'idle' END AS state,
       COALESCE(h.n_chunks, 0) AS n_chunks, COALESCE(h.n_documents, 0) AS n_documents, h.lease_until,
       w.docmill_version, w.schema_revision, w.python_version, w.torch_version, w.started_at, w.last_seen_at,
       (SELECT d.drained_at {_DRAINS} ORDER BY d.drained_at LIMIT 1) AS drained_at,
       (SELECT d.drained_by {_DRAINS} ORDER BY d.drained_at LIMIT 1) AS drained_by
FROM worker w LEFT JOIN ({_HELD}) h ON h.launched = w.instance
"""  # noqa: S608 (constants only)

WORKER_VIEWS: Mapping[str, View] = {
    "v_workers": View(
        about="Every worker and scheduler that is [registered](production.md#workers), and what it holds.",
        query=_WORKERS,
        columns={
            "instance": "random, new at every start: two workers never share it",
            "role": "`worker` or `scheduler`",
            "name": "`cpu-0@host`; two hosts with one hostname have workers of one name",
            "host": "the hostname of its machine or container",
            "pid": "process id of its launcher (`docmill worker`) or scheduler on that host",
            "device": "`cpu`, `cuda:0`; NULL for a scheduler",
            "kinds": "the kinds that it serves, separated by commas",
            "state": "`starting`, `idle`, `busy`, `draining`, `drained`, `outdated` (a newer docmill has upgraded the "
            "store), `gone` (not seen for 90 s); for a scheduler `running`",
            "n_chunks": "number of chunks that its processes hold now, by their leases",
            "n_documents": "number of documents in these chunks",
            "lease_until": "when the first of these leases runs out unless it is renewed",
            "docmill_version": "its version of docmill",
            "schema_revision": "the newest schema that it knows",
            "python_version": "its version of Python",
            "torch_version": "its version of torch; NULL where it is not installed",
            "started_at": "when it was registered",
            "last_seen_at": "its last heartbeat, about every 30 s",
            "drained_at": "since when it is to be drained; NULL if it is not",
            "drained_by": "who asked for that, as `user@host`",
        },
        notes="A worker that stops leaves the view. One that was killed is `gone` after 90 s, and leaves after a day. "
        "Leases decide what a worker holds; this view only shows it.",
    ),
}
