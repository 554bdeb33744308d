"""What a scrape of `docmill metrics` costs, on a store with many outcomes and ended jobs, beside one with few.

    python -m benchmarks.metrics [--outcomes 1000000] [--jobs 20000]

The rows are written by the database itself, on PostgreSQL without the triggers that check them: only what a scrape
reads matters here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

from sqlalchemy import text

from db.migrations import upgrade
from db.store import Store
from docmill.monitoring.store_metrics import StoreMetrics
from scheduler.broker import Broker
from tests.servers import PostgresServer
from workers.app import make_app
from workers.metrics.recorder import Counts
from workers.metrics.serving import CountsCollector, Exposition

TIMES = 20

FILL = (
    "INSERT INTO collection (id, name, created_at) VALUES (1, 'c', now())",
    "INSERT INTO job (id, kind, parameters, collection_id, priority, state, n_documents, n_ok, n_error, created_at) "
    "SELECT n, 'summarize', '{{}}', 1, 5, 'finished', 1, 1, 0, now() FROM generate_series(1, {jobs}) n",
    "INSERT INTO outcome (job_id, document_id, state, error_code, written_at) SELECT 1 + n % {jobs}, n, "
    "CASE WHEN n % 20 = 0 THEN 'error' ELSE 'ok' END, CASE WHEN n % 20 = 0 THEN 'EMPTY_TEXT' END, now() "
    "FROM generate_series(1, {outcomes}) n",
    "INSERT INTO chunk (job_id, stage, seq, queue, priority, n_documents, n_ok, n_error, state, fence, n_put_back, "
    "n_crashes, n_suspect_crashes, document_ids) SELECT n, 0, 1, 'summarize', 5, 256, 256, 0, 'closed', 1, 0, 0, 0, "
    "'[1]' FROM generate_series(1, {jobs}) n",
    # One running job with a million documents in 4,000 ready chunks.
    "INSERT INTO job (id, kind, parameters, collection_id, priority, state, n_documents, created_at, started_at) "
    "VALUES ({jobs} + 1, 'summarize', '{{}}', 1, 5, 'running', 1000000, now(), now())",
    "INSERT INTO chunk (job_id, stage, seq, queue, priority, n_documents, n_ok, n_error, state, fence, n_put_back, "
    "n_crashes, n_suspect_crashes, ready_at, document_ids) SELECT {jobs} + 1, 0, n, 'summarize', 5, 256, 0, 0, "
    "'ready', 0, 0, 0, 0, now(), '[1]' FROM generate_series(1, 4000) n",
    "INSERT INTO tally (name, kind, label, shard, n) SELECT 'documents', 'kind' || k, 'CODE_' || c, s, 1 "
    "FROM generate_series(1, 14) k, generate_series(1, 5) c, generate_series(0, 31) s",
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--outcomes", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=20_000)
    asked = parser.parse_args()
    server = PostgresServer()
    server.start()
    store = Store(server.url())
    try:
        upgrade(store)
        empty = _seconds(store)
        with store.write() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in FILL:
                session.execute(text(statement.format(outcomes=asked.outcomes, jobs=asked.jobs)))
        for table in ("job", "chunk", "outcome", "tally"):
            server.execute(f"VACUUM ANALYZE {table}")
        full = _seconds(store)
    finally:
        store.close()
        server.stop()
        server.remove()
    print(
        f"{asked.outcomes:,} outcomes, {asked.jobs:,} ended jobs, 4,000 ready chunks, 2,240 rows of counters"
    )
    print(f"{'':24}{'median':>10}{'most':>10}")
    for name, times in (("empty store", empty), ("full store", full)):
        print(f"{name:24}{statistics.median(times) * 1000:>7.1f} ms{max(times) * 1000:>7.1f} ms")
    seconds = statistics.median(full)
    print(json.dumps({
        "figures": {"scrape_seconds": seconds, "scrape_seconds_empty": statistics.median(empty)},
        "bars": {"seconds a scrape": {"value": seconds, "at_most": 0.5}},
    }))  # fmt: skip
    raise SystemExit(seconds > 0.5)


def _seconds(store: Store) -> list[float]:
    """Of some scrapes of the store alone, with the text that is made of them."""
    metrics = StoreMetrics(store, Broker(make_app()), "1")
    found = []
    for _ in range(TIMES):
        began = time.perf_counter()
        counts = Counts()
        metrics._of_store(counts)
        Exposition(CountsCollector(lambda counts=counts: counts), with_process=False).text()
        found.append(time.perf_counter() - began)
    return found


if __name__ == "__main__":
    main()
