"""One fault: two workers on a job of light documents, the fault, and what became of them a stated time later."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import redis

from benchmarks.queue_peers import database, losses
from benchmarks.queue_peers.faults import Fault, Struck
from benchmarks.queue_peers.losses import Losses, Seen
from benchmarks.queue_peers.peers import Peer
from benchmarks.queue_peers.site import Site
from benchmarks.queue_peers.workers import Part, Submitter, ended
from tests.faults.relay import Relay
from tests.servers import until

DOCUMENTS = 240
#: docmill's chunks in a trial: several for each worker.
CHUNK = 10
PAUSE_SECONDS = 0.05
#: That workers may take to start on a busy machine.
START_SECONDS = 300.0
#: The document that misbehaves.
PLANTED = 100
#: For how many leases results are waited for after the fault is over ...
PATIENCE_LEASES = 5.0
#: ... or until the queue has held nothing and nothing has been written for as many as this.
QUIET_LEASES = 0.5


def run(peer: Peer, fault: Fault, site: Site, name: str, lease_seconds: float) -> Losses:
    """What one fault does to one peer."""
    with site.run(name, lease_seconds=lease_seconds) as place, _relays(place) as (relays, cut):
        with place.connect() as connection:
            database.record(connection, peer.table)
        place = replace(place, environment=peer.environment(place) | _behaviour(place, fault))
        beside = (
            [Part(peer.beside(place), place.variables(), place.folder / "beside.log")] if peer.beside else []
        )
        workers = [_worker(peer, place, "a", cut), _worker(peer, place, "b", None)]
        parts = [*workers, *beside]
        with ended(parts):
            _submit(peer, place)
            until(lambda: _is_under_way(place), f"worker a of {peer.name} working", START_SECONDS)
            fault.strike(Struck(place, workers[0], relays))
            planted = 0 if fault.is_healthy else PLANTED
            seen, seconds = losses.settle(
                lambda: _look(peer, place), time.monotonic, lambda: time.sleep(0.2),
                patience=PATIENCE_LEASES * lease_seconds, quiet=QUIET_LEASES * lease_seconds,
            )  # fmt: skip
            return losses.count(range(1, DOCUMENTS + 1), seen, planted, seconds)


def _behaviour(place: Site, fault: Fault) -> dict[str, str]:
    planted = f"{fault.planted} {PLANTED}" if fault.planted else ""
    return {
        "PEERS_RUNS": str(place.folder / "runs"),
        "PEERS_PAUSE": str(PAUSE_SECONDS),
        "PEERS_PLANTED": planted,
    }


def _worker(peer: Peer, place: Site, name: str, cut: Path | None) -> Part:
    """Each with a home of its own, as on its own host."""
    own = {"PEERS_WORKER": name, "DOCMILL_HOME": str(place.folder / name)}
    mine = replace(place, environment=place.environment | own)
    return Part(peer.worker(mine), mine.variables(cut), place.folder / f"{name}.log")


def _submit(peer: Peer, place: Site) -> None:
    batch = CHUNK if peer.name == "docmill" else 1
    submitter = Submitter([*peer.submit(place), "1", str(DOCUMENTS), str(batch)], place.variables())
    with ended([submitter]):
        submitter.submit()


def _is_under_way(place: Site) -> bool:
    """Worker a has worked on a few documents, and most are still to be done."""
    return sum(worker == "a" for worker, _ in _runs(place)) >= DOCUMENTS // 20


def _runs(place: Site) -> list[tuple[str, int]]:
    with contextlib.suppress(FileNotFoundError):
        lines = (place.folder / "runs").read_text().split("\n")
        return [
            (worker, int(document)) for worker, _, document in (line.partition(" ") for line in lines[:-1])
        ]
    return []


def _look(peer: Peer, place: Site) -> Seen:
    """The state now; a server that has just been started may still refuse."""

    def look() -> Seen | None:
        with contextlib.suppress(psycopg.OperationalError, redis.RedisError):
            held = peer.held(place)
            with place.connect() as connection:
                return Seen(database.written(connection), held, [document for _, document in _runs(place)])
        return None

    seen: Seen = until(look, "both servers answering")
    return seen


@contextlib.contextmanager
def _relays(place: Site) -> Iterator[tuple[tuple[Relay, ...], Path]]:
    """Sockets through which worker a reaches both servers."""
    folder = place.folder / "cut"
    folder.mkdir()
    targets = (place.redis.socket, place.postgres.folder / ".s.PGSQL.5432")
    relays = tuple(Relay(folder / target.name, target) for target in targets)
    for relay in relays:
        relay.start()
    try:
        yield relays, folder
    finally:
        for relay in relays:
            relay.restore()
            relay.stop()
