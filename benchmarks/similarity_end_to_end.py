"""100,000 documents from submission to neighbours in SQL: how much of the time is not inference or search.

The documents are pieces of Korean Wikipedia articles; the model is trained on some of them before. One worker of one
processor, SQLite. The runners note how long they worked (`benchmarks.timed_similarity`); the rest of the wall time
from submission to the finished job is docmill's: reading, writing, the queue, waiting.
"""

from __future__ import annotations

import os
import sys
import time
from itertools import count, islice
from pathlib import Path
from typing import Any

from benchmarks import report, servers, timed_similarity
from benchmarks.queue import background, wait_for_end
from benchmarks.similarity_data import read

#: The model is trained on so many of them: what it costs to use it is what matters here.
TRAINED_ON = 10_000
PIECE_CHARS = 300
COLUMNS = ["documents", "wall s", "inference s", "search s", "rest", "documents/s"]
COLLECTION, SOME, MODEL = "pieces", "some-pieces", "wiki"


def measure(
    data: Path, n_documents: int, device: str
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Figures and bars; prints the table."""
    with servers.folder() as home, servers.redis(home / "r") as (socket, _):
        seconds = _run(home, socket, _pieces(data, n_documents), "cpu:1" if device == "cpu" else "cuda:0")
    rest = 1 - (seconds["infer"] + seconds["search"]) / seconds["wall"]
    row = [
        n_documents,
        seconds["wall"],
        seconds["infer"],
        seconds["search"],
        rest,
        n_documents / seconds["wall"],
    ]
    report.table(f"submit similarity, end to end, one worker on {device}, SQLite", COLUMNS, [row])
    what = "end to end: share that is not inference or search"
    figures = {f"end to end, {name} seconds": value for name, value in seconds.items()} | {what: rest}
    return figures, {what: {"value": rest, "at_most": 0.15}}


def _pieces(data: Path, n_documents: int) -> list[str]:
    """Pieces of articles: each time through the articles they begin elsewhere, so that no two are the same."""
    texts = [record["text"] for record in read(data / "ko_throughput_wiki" / "documents.jsonl.gz")]
    pieces = (
        text[start : start + PIECE_CHARS]
        for time_through in count()
        for text in texts
        for start in range(time_through * 50, len(text) - PIECE_CHARS // 2, PIECE_CHARS)
    )
    return list(islice(pieces, n_documents))


def _run(home: Path, socket: str, pieces: list[str], worker: str) -> dict[str, float]:
    url = f"sqlite:///{home}/docmill.db"
    os.environ |= {
        "DOCMILL_DATABASE_URL": url,
        "DOCMILL_HOME": str(home),
        "DOCMILL_REDIS_URL": f"unix://{socket}",
        "DOCMILL_KIND_MODULES": "benchmarks.timed_similarity",
    }
    from db.store import Store
    from workers.kinds import all_kinds
    from workers.settings import settings

    settings.cache_clear()
    all_kinds.cache_clear()
    store = Store(url)
    _add(store, pieces)
    me = [sys.executable, "-m", "scheduler.cli"]
    with (
        background("scheduler", [*me, "scheduler"], {}, home),
        background("worker", [*me, "worker", "--devices", worker], {}, home),
    ):
        _job(store, "train-similarity", SOME, {"epochs": 10})
        wall = _job(store, "timed-similarity", COLLECTION, {})
    store.close()
    seconds = {"wall": wall, "infer": 0.0, "search": 0.0}
    for line in (home / timed_similarity.FILE).read_text(encoding="ascii").splitlines():
        stage, taken = line.split()
        seconds[stage] += float(taken)
    return seconds


def _add(store: Any, pieces: list[str]) -> None:
    from db import documents, migrations
    from db.documents import NewDocument

    migrations.upgrade(store)
    for name, some in ((COLLECTION, pieces), (SOME, pieces[:TRAINED_ON])):
        with store.write() as session:
            id_ = documents.collection_id(session, name, create=True)
        texts = (NewDocument(f"{number:06}", text, None, "wiki") for number, text in enumerate(some))
        for batch in documents.batches(texts):
            with store.write() as session:
                documents.add(session, id_, batch)


def _job(store: Any, kind: str, collection: str, parameters: dict[str, Any]) -> float:
    """Seconds from submission to the finished job, all of whose documents must have succeeded."""
    from db import progress
    from scheduler import requests
    from scheduler.requests import JobRequest

    started = time.perf_counter()
    with store.write() as session:
        job_id = requests.submit(session, JobRequest(kind, collection, MODEL, parameters)).job_id
    wait_for_end(store, job_id)
    seconds = time.perf_counter() - started
    with store.read() as session:
        done = progress.of(session, job_id)
    if done.n_ok < done.n_documents * 0.999:
        raise SystemExit(f"{kind}: {done.n_ok} of {done.n_documents} documents succeeded")
    return seconds
