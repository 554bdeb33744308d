"""docmill's queue beside procrastinate, graphile-worker, BullMQ, Dramatiq and Celery: speed, and what ten faults cost.

    python -m benchmarks.queue_peers [--documents 20000] [--only WORDS ...] [--skip speed|faults]

Every peer does the same: it reads a short text from PostgreSQL, counts its words, and writes a row with a key on job
and document to the same PostgreSQL, with synchronous_commit. One worker with two slots for speed, two such workers for
faults.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.queue_peers import database, showing, speed, trial
from benchmarks.queue_peers.faults import FAULTS, Fault
from benchmarks.queue_peers.losses import Losses
from benchmarks.queue_peers.peers import PEERS, ROOT, Peer, describe
from benchmarks.queue_peers.site import PREPARED, Site, open_site
from benchmarks.queue_peers.speed import Speed


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _asked(arguments)
    peers = [peer for peer in PEERS if _matches(peer.name, asked.only)]
    faults = [fault for fault in FAULTS if _matches(fault.name, asked.fault)]
    speeds: dict[str, list[Speed]] = {}
    losses: dict[str, dict[str, Losses]] = {}
    for peer in peers:
        if asked.skip != "speed":
            speeds[peer.name] = _speeds(peer, asked)
        if asked.skip != "faults":
            losses[peer.name] = _losses(peer, faults, asked)
    figures = {
        "machine": report.machine(),
        "documents": asked.documents,
        "appendfsync": asked.fsync,
        "lease_seconds": asked.lease,
        "peers": [describe(peer) for peer in peers],
        "speed": {name: [one.as_dict() for one in found] for name, found in speeds.items()},
        "faults": {
            name: {fault: vars(one) for fault, one in found.items()} for name, found in losses.items()
        },
    }
    showing.settings(peers, asked.fsync)
    if speeds:
        showing.speeds(speeds)
    if losses:
        showing.losses(losses, faults, asked.lease)
    report.end(figures, bars(losses))


def bars(losses: Mapping[str, Mapping[str, Losses]]) -> dict[str, dict[str, float]]:
    """docmill loses nothing and writes nothing twice."""
    ours = list(losses.get("docmill", {}).values())
    if not ours:
        return {}
    return {
        "documents that docmill loses": {"value": sum(one.lost for one in ours), "at_most": 0},
        "documents that docmill writes twice": {"value": sum(one.twice for one in ours), "at_most": 0},
    }


def _speeds(peer: Peer, asked: argparse.Namespace) -> list[Speed]:
    with open_site(asked.peers, asked.fsync) as site:
        _prepare(peer, site, asked.documents)
        found = []
        for batch in peer.batches:
            print(f"{peer.name}: {asked.documents:,} documents, {batch} to a job", flush=True)
            found.append(speed.measure(peer, site, f"speed{batch}", asked.documents, batch))
        return found


def _losses(peer: Peer, faults: Sequence[Fault], asked: argparse.Namespace) -> dict[str, Losses]:
    found = {}
    with open_site(asked.peers, asked.fsync) as site:
        _prepare(peer, site, trial.DOCUMENTS)
        for number, fault in enumerate(faults):
            if fault.needs_redis and not peer.needs_redis:
                continue
            print(f"{peer.name}: {fault.name}", flush=True)
            found[fault.name] = trial.run(peer, fault, site, f"trial{number}", asked.lease)
            print(f"  {showing.cell(found[fault.name])}", flush=True)
    return found


def _prepare(peer: Peer, site: Site, n: int) -> None:
    """The tables of the database that each run gets a copy of."""
    with site.connect(PREPARED) as connection:
        database.create(connection, n)
    if peer.prepare:
        environment = os.environ | site.variables()
        subprocess.run(
            peer.prepare(site, n), env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )


def _matches(name: str, words: Sequence[str]) -> bool:
    return not words or any(word.lower() in name.lower() for word in words)


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.queue_peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--documents", type=int, default=20_000, help="documents of a job whose speed is measured"
    )
    parser.add_argument(
        "--peers", type=Path, default=ROOT / ".bench-queue-peers", help="where they are installed"
    )
    parser.add_argument("--only", nargs="+", default=[], help="peers whose name contains one of these")
    parser.add_argument("--fault", nargs="+", default=[], help="faults whose name contains one of these")
    parser.add_argument("--skip", choices=("speed", "faults"))
    parser.add_argument(
        "--fsync", choices=("everysec", "always"), default="everysec", help="appendfsync of Redis"
    )
    parser.add_argument("--lease", type=float, default=6.0, help="seconds in trials; more on a busy machine")
    asked = parser.parse_args(arguments)
    if not (asked.peers / "node_modules").is_dir():
        parser.error(f"{asked.peers} has no peers: run make bench-peers, which installs them")
    return asked


if __name__ == "__main__":
    main()
