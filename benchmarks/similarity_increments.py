"""Summaries, labels and neighbours of a night in which 1 % of the documents have changed.

    python -m benchmarks.similarity_increments [--documents 100000] [--share 0.01] [--rounds 3] [--method hybrid]
        [--nights 0] [--postgres]

One worker with one processor, of which the processor time counts: it hardly depends on what else the machine does. In
each round, a share of the documents gets another text, and is summarized, classified and compared. Compared are
  alone       jobs over these documents only; of similarity: inference, and a search among all documents, but nobody
              else's list is updated
  increment   the same with --new, in which similarity also updates every list that changes
  full        a similarity job over all documents
--nights runs some increments of similarity first, so that lists differ in age. At the end, the lists of the increments
are compared with those of the full job.
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

import psutil
from sqlalchemy import text

from benchmarks import report, servers
from benchmarks.queue import background, wait_for_end

COLLECTION, MODEL, LABELS = "notes", "notes", "subjects"
SUBJECTS = 5
TOPICS, TOPIC_WORDS, COMMON_WORDS, DOCUMENT_WORDS = 500, 40, 2_000, 60
SENTENCE_WORDS = 10
TRAINED_ON = 5_000
#: Of the job over the changed documents alone: it must not be like the others, or it would update their lists.
OTHER = {"min_score": -0.9999}
MOST = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--method", default="hybrid", help="doc2vec or hybrid")
    parser.add_argument("--nights", type=int, default=0, help="increments before the first round")
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
    names = ("alone", "increment", "others alone", "others increment", "full")
    rows = [
        [name, *(figures[f"{name} {what}"] for what in ("cpu seconds", "seconds", "documents", "rows"))]
        for name in names
    ]
    where = "PostgreSQL" if chosen.postgres else "SQLite"
    report.table(
        f"{chosen.documents:,} documents, {chosen.share:.1%} changed, {chosen.method}, {where}",
        ["job", "processor s", "wall s", "documents", "rows"],
        rows,
    )
    night, alone = (
        figures[f"{name} cpu seconds"] + figures[f"others {name} cpu seconds"]
        for name in ("increment", "alone")
    )
    figures["neighbours, increment / alone"] = figures["increment cpu seconds"] / figures["alone cpu seconds"]
    print(f"neighbours without the other kinds: {figures['neighbours, increment / alone']:.2f} times")
    bars = {
        "summaries, labels and neighbours: increment / alone": {"value": night / alone, "at_most": MOST},
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
    taken: dict[str, list[tuple[float, float]]] = {
        name: [] for name in ("alone", "increment", "others alone", "others increment", "full")
    }
    alike = {"k": 10, "method": chosen.method}
    last: dict[str, int] = {}
    with (
        background("scheduler", [*me, "scheduler"], {}, home),
        background("worker", [*me, "worker", "--devices", "cpu:1"], {}, home) as worker,
    ):
        clock = _Clock(store, psutil.Process(worker.pid))
        small = {"vector_size": 200, "epochs": 5}
        clock.job("train-similarity", "training", small)
        clock.job("train-classify", "training", {}, model=LABELS)
        # Once, so that what changes is new to them as to similarity.
        clock.others(COLLECTION, only_new=True)
        clock.job("similarity", COLLECTION, alike)
        for _ in range(chosen.nights):
            _change(store, source, chosen)
            clock.job("similarity", COLLECTION, alike, only_new=True)
        for _ in range(chosen.rounds):
            ids = _change(store, source, chosen)
            last["alone"] = clock.job("similarity", COLLECTION, alike | OTHER, ids=ids)
            taken["alone"].append(clock.taken)
            last["others alone"] = clock.others(COLLECTION, ids=ids)
            taken["others alone"].append(clock.taken)
            clock.job("similarity", COLLECTION, alike, only_new=True)
            _change(store, source, chosen)
            last["others increment"] = clock.others(COLLECTION, only_new=True)
            taken["others increment"].append(clock.taken)
            last["increment"] = clock.job("similarity", COLLECTION, alike, only_new=True)
            taken["increment"].append(clock.taken)
        before = _lists(store)
        last["full"] = clock.job("similarity", COLLECTION, alike)
        taken["full"].append(clock.taken)
    after = _lists(store)
    figures: dict[str, float] = {}
    for name, each in taken.items():
        figures[f"{name} cpu seconds"] = statistics.median(used for used, _ in each)
        figures[f"{name} seconds"] = statistics.median(wall for _, wall in each)
    for name, job_id in last.items():
        figures[f"{name} documents"], figures[f"{name} rows"] = _size(store, job_id)
    figures["different"] = sum(before.get(key) != rows for key, rows in after.items()) + len(
        before.keys() - after
    )
    store.close()
    return figures


def _text(source: random.Random) -> str:
    """Sentences of words of a topic among common ones."""
    topic = source.randrange(TOPICS)
    words = [f"t{topic}w{int(source.paretovariate(1)) % TOPIC_WORDS}" for _ in range(DOCUMENT_WORDS // 2)]
    words += [f"c{int(COMMON_WORDS * source.random() ** 3)}" for _ in range(DOCUMENT_WORDS // 2)]
    source.shuffle(words)
    sentences = (words[start : start + SENTENCE_WORDS] for start in range(0, len(words), SENTENCE_WORDS))
    return " ".join(f"{' '.join(each)}." for each in sentences)


def _label(words: str) -> str:
    """What its topic belongs to."""
    topic = next(word for word in words.split() if word.startswith("t"))
    return f"subject {int(topic[1 : topic.index('w')]) % SUBJECTS}"


def _add(store: Any, collection: str, texts: list[str], numbers: list[int] | None = None) -> None:
    from db import documents
    from db.documents import NewDocument

    with store.write() as session:
        id_ = documents.collection_id(session, collection, create=True)
    numbered = zip(numbers if numbers is not None else range(len(texts)), texts, strict=True)
    for batch in documents.batches(
        NewDocument(f"{number:07}", each, _label(each), "bench") for number, each in numbered
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


class _Clock:
    """Runs jobs and takes their time."""

    def __init__(self, store: Any, worker: psutil.Process) -> None:
        self._store, self._worker = store, worker
        #: (processor time of the worker, wall time from submission to the end) of the last job, in seconds.
        self.taken = (0.0, 0.0)

    def job(
        self,
        kind: str,
        collection: str,
        parameters: dict[str, Any],
        *,
        model: str | None = MODEL,
        ids: tuple[int, ...] | None = None,
        only_new: bool = False,
    ) -> int:
        """The number of a job that has ended."""
        from scheduler import requests
        from scheduler.requests import JobRequest

        request = JobRequest(kind, collection, model, parameters, only_new=only_new)
        used, started = self._used(), time.perf_counter()
        with self._store.write() as session:
            job_id = requests.submit(session, request, document_ids=ids).job_id
        wait_for_end(self._store, job_id)
        self.taken = self._used() - used, time.perf_counter() - started
        print(
            f"job {job_id}: {kind}, {self.taken[0]:.2f} s of processor time, {self.taken[1]:.2f} s",
            flush=True,
        )
        return job_id

    def others(self, collection: str, *, ids: tuple[int, ...] | None = None, only_new: bool = False) -> int:
        """The number of the last of the jobs that summarize and classify; `taken` is the time of both."""
        self.job("summarize", collection, {}, model=None, ids=ids, only_new=only_new)
        used, seconds = self.taken
        job_id = self.job("classify", collection, {}, model=LABELS, ids=ids, only_new=only_new)
        self.taken = used + self.taken[0], seconds + self.taken[1]
        return job_id

    def _used(self) -> float:
        """The processor time of the worker and its processes so far."""
        processes = [self._worker, *self._worker.children(recursive=True)]
        return sum(sum(process.cpu_times()[:2]) for process in processes)


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
