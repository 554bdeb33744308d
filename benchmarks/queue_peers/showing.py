"""The tables that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks import report
from benchmarks.queue_peers import trial
from benchmarks.queue_peers.faults import Fault
from benchmarks.queue_peers.losses import Losses
from benchmarks.queue_peers.peers import Peer
from benchmarks.queue_peers.speed import Speed


def settings(peers: Sequence[Peer], appendfsync: str) -> None:
    print(f"\nPostgreSQL: fsync and synchronous_commit on. Redis: appendonly, appendfsync {appendfsync}.")
    for peer in peers:
        print(f"{peer.name}: jobs in {'Redis' if peer.queue_in_redis else 'PostgreSQL'}; {peer.settings}")


def speeds(found: Mapping[str, Sequence[Speed]]) -> None:
    columns = [
        "",
        "documents a job",
        "jobs/s",
        "documents/s",
        "submit s",
        "CPU us",
        "WAL bytes",
        "Redis bytes",
    ]
    rows = [
        [
            name, one.documents_per_job, one.jobs_per_second, round(one.documents_per_second),
            f"{one.submit_seconds:.2f}",
            round(one.cpu_us), round(one.wal_bytes), round(one.redis_bytes),
        ]
        for name, runs in found.items()
        for one in runs
    ]  # fmt: skip
    report.table("Speed; CPU and bytes are for each document", columns, rows)


def losses(found: Mapping[str, Mapping[str, Losses]], faults: Sequence[Fault], lease_seconds: float) -> None:
    """A row for each fault."""
    patience = trial.PATIENCE_LEASES * lease_seconds
    title = f"What {trial.DOCUMENTS} documents suffer, {patience:g} s after the fault (leases of {lease_seconds:g} s)"
    rows = [[fault.name, *(cell(of.get(fault.name)) for of in found.values())] for fault in faults]
    report.table(title, ["", *found], rows)
    print(
        "lost: no result in time (stuck: the queue still holds it; given up: it does not). twice: two committed "
        "results. again: run again. bad: runs of the document that fails each time; looping: it goes on."
    )


def cell(one: Losses | None) -> str:
    """The losses in a few words; "-" if there are none, "n/a" if the fault does not concern the peer."""
    if one is None:
        return "n/a"
    words = []
    if one.lost:
        words.append(f"lost {one.lost} ({_why(one)})")
    if one.twice:
        words.append(f"twice {one.twice}")
    if one.run_again > one.twice:
        words.append(f"again {one.run_again - one.twice}")
    if one.planted_runs:
        words.append(f"bad {one.planted_runs}" + (", looping" if one.planted_held else ""))
    return "; ".join(words) or "-"


def _why(one: Losses) -> str:
    return " ".join(f"{what} {n}" for what, n in (("stuck", one.stuck), ("given up", one.given_up)) if n)
