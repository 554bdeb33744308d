"""Similarity by increments: the cost of a night in which 1 % of the documents have changed.

    python -m benchmarks.similarity_increments [--documents 100000] [--share 0.01] [--rounds 3] [--postgres]

One worker with one processor. In each round, a share of the documents gets another text. Compared are
  alone       a job over these documents only: inference, and a search among all documents; nobody else's list is
              updated
  increment   `submit similarity --new`: the same, and every list that changes
  full        a job over all documents
At the end, the lists of the increments are compared with those of the full job.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks import report, servers
from benchmarks.queue import background, wait_for_end

COLLECTION, MODEL = "notes", "notes"
TOPICS, TOPIC_WORDS, COMMON_WORDS, DOCUMENT_WORDS = 500, 40, 2_000, 60
TRAINED_ON = 5_000
#: The parameters of the increments, and of the job over the changed documents alone: it must not be like the others,
#: or it would update their lists.
ALIKE, ALONE = {"k": 10}, {"k": 10, "min_score": -0.9999}
MOST = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", action="store_true", help="PostgreSQL instead of SQLite")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        home = stack.enter_context(servers.folder())
        socket, _ = stack.enter_context(servers.redis(home / "r"))
        url = f"sqlite:///{home}/docmill.db"
        if chosen.postgres:
            url = stack.enter_context(servers.postgres(home / "p"))
        figures = _measure(home, socket, url, chosen)
    print(f"on {report.machine()}")
    names = ("alone", "increment", "full")
    rows = [
        [name, *(figures[f"{name} {what}"] for what in ("seconds", "documents", "rows"))] for name in names
    ]
    where = "PostgreSQL" if chosen.postgres else "SQLite"
    report.table(
        f"{chosen.documents:,} documents, {chosen.share:.1%} changed, {where}",
        ["job", "wall s", "documents", "rows"],
        rows,
    )
    bars = {
        "increment / alone": {
            "value": figures["increment seconds"] / figures["alone seconds"],
            "at_most": MOST,
        },
        "lists that differ from the full job": {"value": figures["different"], "at_most": 0},
    }
    report.end(figures, bars)


def _measure(home: Path, socket: str, url: str, chosen: argparse.Namespace) -> dict[str, float]:
    os.environ |= {
        "DOCMILL_DATABASE_URL": url,
        "DOCMILL_HOME": str(home),
        "DOCMILL_REDIS_URL": f"unix://{socket}",
    }
    from db import migrations
    from db.store import Store
    from workers.settings import settings

    settings.cache_clear()
    store = Store(url)
    migrations.upgrade(store)
    source = random.Random(0)
    _add(store, "training", [_text(source) for _ in range(TRAINED_ON)])
    _add(store, COLLECTION, [_text(source) for _ in range(chosen.documents)])
    me = [sys.executable, "-m", "docmill.cli"]
    seconds: dict[str, list[float]] = {"alone": [], "increment": [], "full": []}
    last: dict[str, int] = {}
    with (
        background("scheduler", [*me, "scheduler"], {}, home),
        background("worker", [*me, "worker", "--devices", "cpu:1"], {}, home),
    ):
        small = {"vector_size": 200, "epochs": 5}
        _job(store, "train-similarity", "training", small)
        _job(store, "similarity", COLLECTION, ALIKE)
        for _ in range(chosen.rounds):
            ids = _change(store, source, chosen)
            last["alone"], taken = _job(store, "similarity", COLLECTION, ALONE, ids=ids)
            seconds["alone"].append(taken)
            _job(store, "similarity", COLLECTION, ALIKE, only_new=True)
            _change(store, source, chosen)
            last["increment"], taken = _job(store, "similarity", COLLECTION, ALIKE, only_new=True)
            seconds["increment"].append(taken)
        before = _lists(store)
        last["full"], taken = _job(store, "similarity", COLLECTION, ALIKE)
        seconds["full"].append(taken)
    after = _lists(store)
    figures: dict[str, float] = {f"{name} seconds": statistics.median(each) for name, each in seconds.items()}
    for name, job_id in last.items():
        figures[f"{name} documents"], figures[f"{name} rows"] = _size(store, job_id)
    figures["different"] = sum(before.get(key) != rows for key, rows in after.items()) + len(
        before.keys() - after
    )
    store.close()
    return figures


def _text(source: random.Random) -> str:
    """Words of a topic among common ones."""
    topic = source.randrange(TOPICS)
    words = [f"t{topic}w{int(source.paretovariate(1)) % TOPIC_WORDS}" for _ in range(DOCUMENT_WORDS // 2)]
    words += [f"c{int(COMMON_WORDS * source.random() ** 3)}" for _ in range(DOCUMENT_WORDS // 2)]
    source.shuffle(words)
    return " ".join(words)


def _add(store: Any, collection: str, texts: list[str], numbers: list[int] | None = None) -> None:
    from db import documents
    from db.documents import NewDocument

    with store.write() as session:
        id_ = documents.collection_id(session, collection, create=True)
    numbered = zip(numbers if numbers is not None else range(len(texts)), texts, strict=True)
    for batch in documents.batches(
        NewDocument(f"{number:07}", each, None, "bench") for number, each in numbered
    ):
        with store.write() as session:
            documents.add(session, id_, batch)


def _change(store: Any, source: random.Random, chosen: argparse.Namespace) -> tuple[int, ...]:
    """Other texts for some documents; the ids of their new versions."""
    numbers = source.sample(range(chosen.documents), max(1, int(chosen.documents * chosen.share)))
    with store.read() as session:
        newest = session.execute(text("SELECT MAX(id) FROM document")).scalar_one()
    _add(store, COLLECTION, [_text(source) for _ in numbers], numbers)
    with store.read() as session:
        found = session.execute(text("SELECT id FROM document WHERE id > :newest"), {"newest": newest})
        return tuple(found.scalars())


def _job(
    store: Any,
    kind: str,
    collection: str,
    parameters: dict[str, Any],
    *,
    ids: tuple[int, ...] | None = None,
    only_new: bool = False,
) -> tuple[int, float]:
    """(number, seconds from submission to the end) of a job."""
    from scheduler import requests
    from scheduler.requests import JobRequest

    request = JobRequest(kind, collection, MODEL, parameters, only_new=only_new)
    started = time.perf_counter()
    with store.write() as session:
        job_id = requests.submit(session, request, document_ids=ids).job_id
    wait_for_end(store, job_id)
    return job_id, time.perf_counter() - started


def _lists(store: Any) -> dict[int, list[tuple[int, int, float]]]:
    """Every document's list as v_similar shows it."""
    query = "SELECT document_id, rank, neighbour_id, score FROM v_similar WHERE is_current ORDER BY document_id, rank"
    lists: dict[int, list[tuple[int, int, float]]] = {}
    with store.read() as session:
        for id_, *row in session.execute(text(query)):
            lists.setdefault(id_, []).append(tuple(row))
    return lists


def _size(store: Any, job_id: int) -> tuple[int, int]:
    """Documents, and rows of neighbours, of a job."""
    with store.read() as session:
        query = (
            "SELECT n_documents, (SELECT COUNT(*) FROM neighbour WHERE job_id = :j) FROM job WHERE id = :j"
        )
        n_documents, n_rows = session.execute(text(query), {"j": job_id}).one()
    return n_documents, n_rows


if __name__ == "__main__":
    main()
