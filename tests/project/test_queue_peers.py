"""make bench-peers: what a queue loses or does twice is counted, whoever's queue it is."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from benchmarks.queue_peers import __main__ as benchmark
from benchmarks.queue_peers import database, losses, showing
from benchmarks.queue_peers.losses import Seen
from tests.servers import PostgresServer, missing_postgres


class FakeQueue:
    """A queue of three documents whose states follow a script, on a clock of its own."""

    def __init__(self, *states: Seen) -> None:
        self._states = list(states)
        self.now = 0.0

    def look(self) -> Seen:
        return self._states[min(int(self.now), len(self._states) - 1)]

    def wait(self) -> None:
        self.now += 1.0

    def settle(self, patience: float = 20.0, quiet: float = 3.0) -> tuple[losses.Losses, float]:
        seen, seconds = losses.settle(self.look, lambda: self.now, self.wait, patience=patience, quiet=quiet)
        return losses.count([1, 2, 3], seen), seconds


def test_a_queue_that_forgets_a_document_has_lost_it() -> None:
    lost, _ = FakeQueue(Seen([1], [2]), Seen([1, 2], [])).settle()

    assert (lost.lost, lost.stuck, lost.given_up, lost.twice) == (1, 0, 1, 0)


def test_a_document_that_the_queue_still_holds_is_stuck_when_the_time_is_over() -> None:
    queue = FakeQueue(Seen([1, 2], [3]))

    lost, _ = queue.settle(patience=20.0)

    assert (lost.lost, lost.stuck, lost.given_up) == (1, 1, 0)
    assert queue.now == 20.0


def test_a_result_is_waited_for_while_the_queue_holds_the_document() -> None:
    held = [Seen([1, 2], [3])] * 10

    lost, seconds = FakeQueue(*held, Seen([1, 2, 3], [])).settle()

    assert lost.lost == 0
    assert seconds == 10.0


def test_a_second_write_after_all_results_are_there_is_seen() -> None:
    """A message that is delivered again when its lease runs out, though its result was written before."""
    held = [Seen([1, 2, 3], [3])] * 8

    lost, _ = FakeQueue(*held, Seen([1, 2, 3, 3], [])).settle()

    assert (lost.lost, lost.twice) == (0, 1)


def test_runs_are_told_from_results_and_the_planted_document_from_healthy_ones() -> None:
    seen = Seen(written=[1], held=[3], runs=[1, 1, 2, 3, 3, 3])

    lost = losses.count([1, 2, 3], seen, planted=3)

    assert (lost.documents, lost.lost, lost.given_up, lost.twice, lost.run_again) == (2, 1, 1, 0, 1)
    assert (lost.planted_runs, lost.planted_held) == (3, True)
    assert showing.cell(lost) == "lost 1 (given up 1); again 1; bad 3, looping"


def test_what_docmill_loses_misses_the_threshold_and_what_a_peer_loses_does_not() -> None:
    clean = losses.count([1], Seen([1], []))
    bad = losses.count([1, 2], Seen([1, 1], []))

    assert [
        bar["value"] for bar in benchmark.bars({"docmill": {"fault": clean}, "peer": {"fault": bad}}).values()
    ] == [0, 0]
    assert [bar["value"] for bar in benchmark.bars({"docmill": {"fault": bad}}).values()] == [1, 1]


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection]:
    if reason := missing_postgres():
        pytest.skip(reason)
    server = PostgresServer()
    try:
        server.start()
        with psycopg.connect(f"host={server.folder} user=docmill dbname=postgres", autocommit=True) as opened:
            yield opened
    finally:
        server.kill()
        server.remove()


def test_each_committed_write_is_recorded_even_where_a_key_makes_it_harmless(
    connection: psycopg.Connection,
) -> None:
    database.create(connection, 2)
    database.record(connection, "peer_result")
    write = "INSERT INTO peer_result VALUES (1, %s, 5) ON CONFLICT (job, document) DO UPDATE SET words = excluded.words"

    for document in (1, 1, 2):
        connection.execute(write, (document,))
    with connection.transaction(force_rollback=True):
        connection.execute(write, (2,))

    assert sorted(database.written(connection)) == [1, 1, 2]
