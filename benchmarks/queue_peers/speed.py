"""Speed of one peer: from submitting a job until its last result is committed, with one warm worker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.queue_peers.peers import Peer
from benchmarks.queue_peers.site import Site
from benchmarks.queue_peers.workers import Part, Submitter, ended
from benchmarks.simulation.measuring import cpu_of_tree
from tests.servers import until

#: Documents of the job that warms the worker up.
WARM_UP = 100
#: A run may take so long for each document.
MOST_SECONDS = 0.05


@dataclass(frozen=True)
class Used:
    """Totals so far: seconds of the processor, and bytes."""

    cpu: float
    wal: float
    redis: float


@dataclass(frozen=True)
class Speed:
    """One run. Bytes and processor time are for each document, of worker, client and servers together."""

    documents_per_job: int
    seconds: float
    submit_seconds: float
    jobs_per_second: float
    documents_per_second: float
    cpu_us: float
    wal_bytes: float
    redis_bytes: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure(peer: Peer, site: Site, name: str, n: int, batch: int) -> Speed:
    """n documents, `batch` to a job."""
    with site.run(name) as bare:
        place = replace(bare, environment=peer.environment(bare))
        parts = [Part(peer.worker(place), place.variables(), place.folder / "worker.log")]
        parts += (
            [Part(peer.beside(place), place.variables(), place.folder / "beside.log")] if peer.beside else []
        )
        with ended(parts):
            # docmill's job is over all documents that it has.
            warm_up = n if peer.name == "docmill" else min(n, WARM_UP)
            _run(peer, place, parts, 1, warm_up, batch, done=0)
            return _run(peer, place, parts, 2, n, batch, done=warm_up)


def _run(peer: Peer, place: Site, parts: Sequence[Part], job: int, n: int, batch: int, done: int) -> Speed:
    submitter = Submitter([*peer.submit(place), str(job), str(n), str(batch)], place.variables())
    with ended([submitter]), place.connect() as connection:
        query = f"SELECT count(*) FROM {peer.table}"

        def all_done() -> bool:
            """Looks seldom, since looking costs time: that of the run is exact to a twentieth."""
            time.sleep(max(0.02, (time.perf_counter() - began) / 20))
            return bool(connection.execute(query).fetchone() == (done + n,))  # type: ignore[call-overload]

        before, began = _used(place, parts, submitter), time.perf_counter()
        submit_seconds = submitter.submit()
        until(all_done, f"{n} results of {peer.name}", 60 + n * MOST_SECONDS)
        seconds, after = time.perf_counter() - began, _used(place, parts, submitter)
    return Speed(
        documents_per_job=batch,
        seconds=seconds,
        submit_seconds=submit_seconds,
        jobs_per_second=-(-n // batch) / seconds,
        documents_per_second=n / seconds,
        cpu_us=(after.cpu - before.cpu) / n * 1e6,
        wal_bytes=(after.wal - before.wal) / n,
        redis_bytes=(after.redis - before.redis) / n,
    )


def _used(place: Site, parts: Sequence[Part], submitter: Submitter) -> Used:
    servers = (place.postgres.process, place.redis.process)
    pids = (
        [part.pid for part in parts] + [submitter.process.pid] + [server.pid for server in servers if server]
    )
    with place.connect() as connection, place.redis.client() as client:
        [(wal,)] = connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchall()
        passed = client.info("stats")
    redis_bytes = passed["total_net_input_bytes"] + passed["total_net_output_bytes"]
    return Used(sum(map(cpu_of_tree, pids)), float(wal), float(redis_bytes))
