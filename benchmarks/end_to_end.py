"""The overhead of docmill: 150,000 short reviews classified by a bare loop, and through docmill.

    python -m benchmarks.end_to_end --data ../shared/data [--arch naive-bayes]

The bare loop feeds the same batches to the same runner in one process. docmill reads the documents from SQL in chunks,
through Redis and one worker on the same processors, and writes every label durably. In both cases the model is already
loaded. The time of docmill is from submission to the end of the job. With `--arch naive-bayes`, the model takes so
little time that nearly all of the difference is what docmill itself costs.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import report, servers
from benchmarks.queue import background, wait_for_end

COLLECTION = "reviews"
#: The collection that the model is trained on; only its speed matters here.
WARM_UP = "some-reviews"


def reviews(data: Path, limit: int) -> list[dict[str, str]]:
    """Short Korean reviews with their labels."""
    path = data / "ko_sentiment_nsmc" / "train.jsonl.gz"
    if not path.exists():
        raise SystemExit(f"{path} does not exist: --data must be a folder that contains it")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for _, line in zip(range(limit), file, strict=False)]


def measure(
    url: str, home: Path, socket: str, rows: list[dict[str, str]], rounds: int, arch: str | None
) -> dict[str, Any]:
    """Train once, then classify everything in turn: bare loop, docmill, bare loop, docmill, ..."""
    os.environ |= {
        "DOCMILL_DATABASE_URL": url,
        "DOCMILL_HOME": str(home),
        "DOCMILL_REDIS_URL": f"unix://{socket}",
    }
    from db.store import Store
    from workers.settings import settings

    settings.cache_clear()
    store = Store(url)
    _add(store, rows)
    texts = home / "texts.jsonl"
    texts.write_text("".join(json.dumps(row["text"]) + "\n" for row in rows), encoding="utf-8")
    me = [sys.executable, "-m", "docmill.cli"]
    bare, through = [], []
    with (
        background("scheduler", [*me, "scheduler"], {}, home),
        background("worker", [*me, "worker", "--devices", "cpu:1"], {}, home),
    ):
        _run(store, "train-classify", WARM_UP, {"arch": arch} if arch else {})
        _run(store, "classify", WARM_UP)
        folder = _model_folder(store)
        for _ in range(rounds):
            bare.append(_bare(folder, texts))
            through.append(_run(store, "classify", COLLECTION))
    store.close()
    return {
        "bare_seconds": statistics.median(bare),
        "docmill_seconds": statistics.median(through),
        "share": statistics.median(b / t for b, t in zip(bare, through, strict=True)),
        "documents_per_second": len(rows) / statistics.median(through),
    }


def _add(store: Any, rows: list[dict[str, str]]) -> None:
    from db import documents, migrations
    from db.documents import NewDocument

    migrations.upgrade(store)
    for name, some in ((COLLECTION, rows), (WARM_UP, rows[:20_000])):
        with store.write() as session:
            id_ = documents.collection_id(session, name, create=True)
        texts = (NewDocument(str(row["id"]), row["text"], row["label"], "nsmc") for row in some)
        for batch in documents.batches(texts):
            with store.write() as session:
                documents.add(session, id_, batch)


def _run(store: Any, kind: str, collection: str, parameters: dict[str, Any] | None = None) -> float:
    """Seconds from submission to the end of the job. All documents must succeed."""
    from db import progress
    from scheduler import requests
    from scheduler.requests import JobRequest

    started = time.perf_counter()
    with store.write() as session:
        request = JobRequest(kind, collection, "sentiment", parameters=parameters or {})
        job_id = requests.submit(session, request).job_id
    wait_for_end(store, job_id)
    seconds = time.perf_counter() - started
    with store.read() as session:
        done = progress.of(session, job_id)
    if done.n_ok != done.n_documents:
        raise SystemExit(f"{kind}: {done.n_ok} of {done.n_documents} documents succeeded")
    return seconds


def _model_folder(store: Any) -> Path:
    from db import model_versions
    from workers.settings import settings

    with store.read() as session:
        return settings().models_path / model_versions.resolve(session, "sentiment", "train-classify").path


def _bare(folder: Path, texts: Path) -> float:
    from workers.processes import devices

    command = [sys.executable, "-m", "benchmarks.bare_loop", str(folder), str(texts)]
    same_threads = devices.parse("cpu:1")[0].environment
    said = subprocess.run(command, env=os.environ | same_threads, capture_output=True, text=True, check=True)
    return float(said.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=150_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--arch", help="the architecture of the model; the default if left out")
    parser.add_argument("--store", choices=("SQLite", "PostgreSQL"), help="only this database")
    options = parser.parse_args()
    rows = reviews(options.data, options.documents)
    figures: dict[str, Any] = {"machine": report.machine(), "documents": len(rows)}
    with (
        servers.folder() as home,
        servers.redis(home / "r") as (socket, _),
        servers.postgres(home / "p") as url,
    ):
        urls = {"SQLite": f"sqlite:///{home}/SQLite/docmill.db", "PostgreSQL": url}
        names = [options.store] if options.store else list(urls)
        for name in names:
            (home / name).mkdir()
            figures[name] = measure(urls[name], home / name, socket, rows, options.rounds, options.arch)
    columns = ["classify", "bare loop, s", "docmill, s", "bare / docmill", "documents/s"]
    table = [[name, *figures[name].values()] for name in names]
    report.table(f"{len(rows):,} short reviews, one worker, on {figures['machine']}", columns, table)
    bars = {f"{name}, bare / docmill": {"value": figures[name]["share"], "at_least": 0.8} for name in names}
    report.end(figures, bars)


if __name__ == "__main__":
    main()
