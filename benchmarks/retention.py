"""The effect of pruning on a running job, on PostgreSQL: outcomes of old jobs are deleted while workers process
documents.

    python -m benchmarks.retention [--outcomes 200000] [--phases 6] [--seconds 10]

Old jobs with that many outcomes, and a result row for each, are made first; a newer job stands for all of them. Then
two workers process jobs whose runner does nothing, so that the database is the bottleneck: any other job feels less.
Phases with and without pruning alternate, and the documents per second of each pair of phases are compared. At the end
the rest is pruned, and every job has to add up.

The issue asks for 7,000,000 outcomes: --outcomes 7000000 --phases 20.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks import report, servers
from benchmarks.queue import KIND, _add, _environment, background

#: Outcomes of one old job at most.
OF_A_JOB = 500_000
POLICY = "[outcomes]\nolder_than = '30 d'\n"


def _old_jobs(store: Any, n_outcomes: int) -> int:
    """Finished jobs of long ago over one collection, and a newer one over the same documents; returns how many
    outcomes the old ones have."""
    n_documents = min(n_outcomes, OF_A_JOB)
    _add(store, "old", n_documents)
    n_jobs = n_outcomes // n_documents
    job = text(
        "INSERT INTO job (kind, parameters, collection_id, priority, state, n_documents, n_ok, n_error, created_at, "
        "started_at, finished_at) SELECT 'oracle', '{}', id, 5, 'finished', :n, :n, 0, now(), now(), "
        "now() - make_interval(days => :days) FROM collection WHERE name = 'old' RETURNING id"
    )
    of_old = "FROM document d JOIN collection c ON c.id = d.collection_id WHERE c.name = 'old'"
    for number in range(n_jobs + 1):
        days = 0 if number == n_jobs else 100
        with store.write() as session:
            job_id = session.execute(job, {"n": n_documents, "days": days}).scalar_one()
            session.execute(
                text(f"INSERT INTO outcome SELECT :j, d.id, 'ok', NULL, NULL, now() {of_old}"), {"j": job_id}
            )
            session.execute(
                text(
                    "INSERT INTO classification (job_id, document_id, rank, label, score) "
                    f"SELECT :j, d.id, 1, 'label', 0.5 {of_old}"
                ),
                {"j": job_id},
            )
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("COMMIT"))
        for table in ("outcome", "classification", "document", "job"):
            connection.execute(text(f"VACUUM ANALYZE {table}"))
    return n_jobs * n_documents


def _n_done(store: Any) -> int:
    query = text("SELECT COALESCE(SUM(n_ok + n_error), 0) FROM chunk WHERE queue = :k")
    with store.read() as session:
        return int(session.execute(query, {"k": KIND}).scalar_one())


def measure(url: str, home: Path, socket: str, options: argparse.Namespace) -> dict[str, Any]:
    """Documents per second with and without pruning."""
    environment = _environment(url, home, socket)
    os.environ.update(environment)
    from workers.settings import settings

    settings.cache_clear()
    from db import migrations
    from db.retention import passes
    from db.retention.policy import parse
    from db.store import Store
    from scheduler import requests, retention
    from scheduler.requests import JobRequest
    from workers.kinds import all_kinds

    all_kinds.cache_clear()
    store = Store(url)
    migrations.upgrade(store)
    n_old = _old_jobs(store, options.outcomes)
    _add(store, "bench", options.documents)
    policy = parse(POLICY, "benchmark")
    steps = iter(retention.Pass(store, policy, home / "models", threading.Event()))
    me = [sys.executable, "-m", "docmill.cli"]
    pairs, n_pruned, n_phases = [], 0, 0
    with (
        background("scheduler", [*me, "scheduler"], environment, home),
        background("worker", [*me, "worker", "--devices", "cpu:2", "--kinds", KIND], environment, home),
    ):
        for _ in range(options.jobs):
            with store.write() as session:
                requests.submit(session, JobRequest(KIND, "bench"))
        while _n_done(store) < options.documents // 4:
            time.sleep(0.1)

        def phase(*, prune: bool) -> float:
            nonlocal n_pruned
            before, began = _n_done(store), time.perf_counter()
            while time.perf_counter() - began < options.seconds:
                if prune and (step := next(steps, None)) is not None:
                    n_pruned += step.counts["outcomes"]
                else:
                    time.sleep(0.05)
            done = _n_done(store)
            if done >= options.jobs * options.documents:
                raise SystemExit("the jobs ended too early: use more --jobs or --documents")
            return (done - before) / (time.perf_counter() - began)

        for _ in range(options.phases):
            before, beside, after = phase(prune=False), phase(prune=True), phase(prune=False)
            pairs.append((statistics.mean((before, after)), beside))
            n_phases += 1
            if n_pruned >= n_old:
                break
    # The jobs are not done, and nobody works on them now: what is left need not give way.
    began = time.perf_counter()
    rest = retention.run(store, policy.model_copy(update={"share": 1.0}), home / "models")
    rest_seconds = time.perf_counter() - began
    n_beside, n_pruned = n_pruned, n_pruned + rest["outcomes"]
    with store.read() as session:
        wrong = [account.job_id for account in passes.accounts(session, 1_000) if not account.adds_up]
    store.close()
    if wrong or n_pruned != n_old:
        raise SystemExit(f"{n_pruned} of {n_old} outcomes were pruned; jobs that do not add up: {wrong}")
    alone, beside = (statistics.median(column) for column in zip(*pairs, strict=True))
    falls = statistics.median(1 - pruning / without for without, pruning in pairs)
    per_second = n_beside / (n_phases * options.seconds)
    return {
        "outcomes": n_old,
        "pruned_beside": n_beside,
        "pruned_per_second": per_second,
        "pruned_per_second_alone": rest["outcomes"] / rest_seconds,
        "alone": alone,
        "beside": beside,
        "falls": falls,
        "n_phases": n_phases,
        "pairs": [[round(without), round(pruning)] for without, pruning in pairs],
    }


def run(n_outcomes: int, options: argparse.Namespace | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures and bars, with servers of its own."""
    options = options or _parser().parse_args([])
    options.outcomes = n_outcomes
    with (
        servers.folder() as home,
        servers.redis(home / "r") as (socket, _),
        servers.postgres(home / "p") as url,
    ):
        (home / "s").mkdir()
        figures = measure(url, home / "s", socket, options)
    bars = {
        "share by which the throughput falls while outcomes are pruned": {
            "value": figures["falls"],
            "at_most": 0.10,
        },
        "outcomes pruned per second when nothing else runs": {
            "value": figures["pruned_per_second_alone"],
            "at_least": 20_000,
        },
    }
    return figures, bars


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--outcomes", type=int, default=200_000, help="outcomes of old jobs")
    parser.add_argument("--documents", type=int, default=100_000, help="documents of each running job")
    parser.add_argument("--jobs", type=int, default=30, help="running jobs, one after the other")
    parser.add_argument("--phases", type=int, default=6, help="phases with pruning")
    parser.add_argument("--seconds", type=float, default=10, help="length of a phase")
    return parser


def main() -> None:
    options = _parser().parse_args()
    machine = report.machine()
    print(f"Pruning {options.outcomes:,} outcomes on {machine}")
    figures, bars = run(options.outcomes, options)
    report.table(
        f"{figures['outcomes']:,} outcomes are pruned while jobs run",
        [
            "documents per second",
            "alone",
            "while pruning",
            "falls by",
            "outcomes pruned per second meanwhile",
            "and when nothing else runs",
        ],
        [
            [
                "no-op jobs, two workers",
                figures["alone"],
                figures["beside"],
                f"{figures['falls']:.1%}",
                figures["pruned_per_second"],
                figures["pruned_per_second_alone"],
            ]
        ],
    )
    report.end({"machine": machine} | figures, bars)


if __name__ == "__main__":
    main()
