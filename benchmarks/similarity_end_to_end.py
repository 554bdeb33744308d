"""From 100,000 documents to neighbours in SQL: the share of the time that is not training, inference or search.

The documents are pieces of Korean Wikipedia articles. Two jobs, `train similarity` and `submit similarity`, run with
their defaults on one worker with one processor and SQLite. The training and the runners record their times
(`benchmarks.timed_similarity`); the rest of the wall time from submission to the end of the job is overhead: reading,
writing, the queue, waiting.
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

PIECE_CHARS = 300
COLUMNS = ["job", "wall s", "training s", "inference s", "search s", "rest", "documents/s"]
MOST_REST = 0.15
COLLECTION, MODEL = "pieces", "wiki"


def measure(
    data: Path, n_documents: int, device: str
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Figures and thresholds; prints the table."""
    with servers.folder() as home, servers.redis(home / "r") as (socket, _):
        seconds = _run(home, socket, pieces(data, n_documents), "cpu:1" if device == "cpu" else "cuda:0")
    row = {
        "train": ["train similarity", seconds["wall of training"], seconds["train"], 0.0, 0.0],
        "submit": ["submit similarity", seconds["wall of search"], 0.0, seconds["infer"], seconds["search"]],
    }
    row["both"] = [
        "both",
        *(sum(column) for column in zip(*(each[1:] for each in row.values()), strict=True)),
    ]
    rest = {job: 1 - sum(each[2:]) / each[1] for job, each in row.items()}
    rows = [[*each, rest[job], n_documents / each[1]] for job, each in row.items()]
    report.table(f"{n_documents:,} documents end to end, one worker on {device}, SQLite", COLUMNS, rows)
    figures = {f"end to end, {name} seconds": value for name, value in seconds.items()}
    figures |= {f"end to end, {job}: share of the rest": share for job, share in rest.items()}
    what = "end to end: share that is not training, inference or search"
    return figures, {what: {"value": rest["both"], "at_most": MOST_REST}}


def pieces(data: Path, n_documents: int) -> list[str]:
    """Pieces of articles. Each pass over the articles starts at another offset, so that no two pieces are the same."""
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
    me = [sys.executable, "-m", "docmill.cli"]
    with (
        background("scheduler", [*me, "scheduler"], {}, home),
        background("worker", [*me, "worker", "--devices", worker], {}, home),
    ):
        seconds = {"wall of training": _job(store, timed_similarity.TRAIN)}
        seconds["wall of search"] = _job(store, "timed-similarity")
    store.close()
    seconds |= {"train": 0.0, "infer": 0.0, "search": 0.0}
    for line in (home / timed_similarity.FILE).read_text(encoding="ascii").splitlines():
        stage, taken = line.split()
        seconds[stage] += float(taken)
    return seconds


def _add(store: Any, pieces: list[str]) -> None:
    from db import documents, migrations
    from db.documents import NewDocument

    migrations.upgrade(store)
    with store.write() as session:
        id_ = documents.collection_id(session, COLLECTION, create=True)
    texts = (NewDocument(f"{number:06}", text, None, "wiki") for number, text in enumerate(pieces))
    for batch in documents.batches(texts):
        with store.write() as session:
            documents.add(session, id_, batch)


def _job(store: Any, kind: str) -> float:
    """Seconds from submission to the end of the job. All documents must succeed."""
    from db import progress
    from scheduler import requests
    from scheduler.requests import JobRequest

    started = time.perf_counter()
    with store.write() as session:
        job_id = requests.submit(session, JobRequest(kind, COLLECTION, MODEL, {})).job_id
    wait_for_end(store, job_id)
    seconds = time.perf_counter() - started
    with store.read() as session:
        done = progress.of(session, job_id)
    if done.n_ok < done.n_documents * 0.999:
        raise SystemExit(f"{kind}: {done.n_ok} of {done.n_documents} documents succeeded")
    return seconds
