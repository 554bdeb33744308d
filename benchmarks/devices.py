"""Neural models on a CPU and a GPU: documents a second by precision, and of a whole job by workers on the GPU.

    python -m benchmarks.devices --data DIR [--device cuda] [--documents 20000] [--only models jobs]

`models` runs models with random weights (which do not affect the speed): the shapes of KoELECTRA-base and of BART-base.
`jobs` runs a job through Redis, SQLite and real workers, on an empty store: the first worker learns the sizes of
batches, the second starts with them, and then two and four share the GPU.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks import classification_pretrained, report, servers, summaries_pretrained
from benchmarks.end_to_end import reviews
from benchmarks.queue import background, wait_for_end
from nlp_tasks import precision

PARTS = ("models", "jobs")
#: What ELECTRA-base and BART-base have.
ELECTRA = {
    "embedding_size": 768, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
    "intermediate_size": 3072,
}  # fmt: skip
BART = {
    "d_model": 768, "encoder_layers": 6, "decoder_layers": 6, "encoder_attention_heads": 12,
    "decoder_attention_heads": 12, "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072,
}  # fmt: skip
#: A CPU gets this share of the documents: it would take an hour for all.
CPU_SHARE = 0.01
WRITTEN = 32
#: A job that takes longer has failed: the logs are printed.
MOST_SECONDS = 300.0
COLLECTION = "reviews"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--small", action="store_true", help="smaller models, to try this benchmark out")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    name = torch.cuda.get_device_name() if options.device != "cpu" else "no GPU"
    print(f"{report.machine()}; torch {torch.__version__}, {name}")
    if options.small:
        ELECTRA.update(hidden_size=64, intermediate_size=128, num_hidden_layers=2, embedding_size=64)
        BART.update(d_model=48, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=64, decoder_ffn_dim=64)
    figures: dict[str, Any] = {"device": name}
    for part in options.only:
        measure = {"models": models, "jobs": jobs}[part]
        figures[part] = measure(options.data, options.device, options.documents)
    report.end(figures, {})


# --- models -----------------------------------------------------------------------------------------------------


def models(data: Path, device: str, n: int) -> dict[str, Any]:
    """Two models, on the CPU and the device, in each precision."""
    some = classification_pretrained._texts(data, 1000)
    texts = (some * (n // len(some) + 1))[:n]
    rows = _classifier(texts, device)
    if (data / summaries_pretrained.FOLDERS[0]).exists():
        rows += _summarizer(data, device, max(64, n // 20))
    columns = ["model", "device", "numbers", "documents/s", "differs from the CPU by"]
    report.table("Models with random weights", columns, rows)
    return {" ".join(row[:3]): row[3:] for row in rows}


def _classifier(texts: list[str], device: str) -> list[list[Any]]:
    classifier = classification_pretrained._classifier(texts, **ELECTRA)
    few = texts[: max(32, int(CPU_SHARE * len(texts)))]
    precision.choose("float32")
    exact, seconds = _timed(lambda: classifier.logits(few, lambda: None))
    rows = [["ELECTRA-base", "cpu", "float32", len(few) / seconds, 0.0]]
    for name in ("float32", "bfloat16", "float16") if device != "cpu" else ():
        classifier.model.to(device)
        classifier.device = device
        precision.choose(name)
        # The first pass loads the kernels for each shape of a batch; a worker does that once.
        classifier.logits(texts, lambda: None)
        found, seconds = _timed(lambda: classifier.logits(texts, lambda: None))
        gap = float(np.abs(_softmax(found[: len(few)]) - _softmax(exact)).max())
        rows.append(["ELECTRA-base", device, name, len(texts) / seconds, gap])
    return rows


def _summarizer(data: Path, device: str, n: int) -> list[list[Any]]:
    from nlp_tasks.summarization.abstractive import pretrained
    from nlp_tasks.summarization.abstractive.decoding import Decoding

    how = Decoding(beams=1, no_repeat=0, max_tokens=WRITTEN)
    texts = (summaries_pretrained._texts(data, 7) * n)[:n]
    few = texts[: max(8, int(CPU_SHARE * n))]
    rows, exact = [], []
    with TemporaryDirectory() as name:
        summaries_pretrained._save_bart(Path(name), texts, 7, **BART)
        for where, numbers in (("cpu", "float32"), *((device, each) for each in precision.CHOICES[1:])):
            if where == "cpu" and rows:
                continue
            precision.choose(numbers)
            writer = pretrained.open_folder(Path(name), where)
            some = few if where == "cpu" else texts
            if where != "cpu":
                writer.summarize(texts, how)
            written, seconds = _timed(lambda: writer.summarize(some, how))  # noqa: B023
            exact = exact or written
            same = sum(a == b for a, b in zip(written, exact, strict=False)) / len(few)
            rows.append(["BART-base", where, numbers, len(some) / seconds, f"{1 - same:.0%} of texts"])
    return rows


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def _softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


# --- jobs -------------------------------------------------------------------------------------------------------


def jobs(data: Path, device: str, n: int) -> dict[str, Any]:
    """The same job with different workers."""
    rows = []
    sort = device.partition(":")[0]
    with servers.folder() as home, servers.redis(home / "r") as (socket, _):
        os.environ |= {"DOCMILL_HOME": str(home), "DOCMILL_REDIS_URL": f"unix://{socket}"}
        store = _store(home, data, n)
        me = [sys.executable, "-m", "docmill.cli"]
        with background("scheduler", [*me, "scheduler"], {}, home):
            for name, words in _workers(sort):
                with background(name.replace(" ", "-"), [*me, "worker", *words], {}, home):
                    if not rows:
                        _run(store, "train-classify", f"{COLLECTION}-few", home)
                    _run(store, "classify", f"{COLLECTION}-few")
                    n_documents, seconds = _run(store, "classify", COLLECTION)
                    rows.append([name, n_documents, seconds, n_documents / seconds])
                    print(f"{name}: {n_documents / seconds:,.0f} documents/s", flush=True)
        for where in dict.fromkeys(("cpu", device)):
            # The last job; numbers differ by what 16 bits and another device round.
            said = subprocess.run(
                [*me, "verify", str(_last_job(store)), "--sample", "200", "--device", where],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            print(f"verified on {where}: {said.stdout.strip()[-600:]}{said.stderr[-300:]}", flush=True)
        learnt = [[row.model, row.device, 2**row.bucket, row.most, row.failed] for row in _learnt(store)]
        store.close()
    report.table(f"A job of {n:,} reviews", ["workers", "documents", "s", "documents/s"], rows)
    report.table("Learnt", ["model", "device", "shorter than", "documents", "out of memory at"], learnt)
    return {name: speed for name, _, _, speed in rows} | {"learnt": learnt}


def _workers(sort: str) -> list[tuple[str, list[str]]]:
    if sort == "cpu":
        return [("one, the first", ["--devices", "cpu:1"]), ("two", ["--devices", "cpu:2"])]
    again = [(f"{n} on the GPU", ["--devices", sort, "--per-device", str(n)]) for n in (2, 4)]
    return [("one, the first", ["--devices", sort]), ("one, the second", ["--devices", sort]), *again]


def _store(home: Path, data: Path, n: int) -> Any:
    from db import documents, migrations
    from db.documents import NewDocument
    from db.store import Store
    from workers.settings import settings

    settings.cache_clear()
    store = Store(f"sqlite:///{home}/docmill.db")
    migrations.upgrade(store)
    rows = reviews(data, n)
    for name, some in ((COLLECTION, rows), (f"{COLLECTION}-few", rows[:1000])):
        with store.write() as session:
            id_ = documents.collection_id(session, name, create=True)
        new = (NewDocument(str(row["id"]), row["text"], row["label"], "nsmc") for row in some)
        for batch in documents.batches(new):
            with store.write() as session:
                documents.add(session, id_, batch)
    classifier = classification_pretrained._classifier([row["text"] for row in rows[:5000]], **ELECTRA)
    classifier.model.electra.save_pretrained(home / "electra")
    classifier.tokenizer.save_pretrained(home / "electra")
    return store


def _run(store: Any, kind: str, collection: str, home: Path | None = None) -> tuple[int, float]:
    """(documents, seconds) from submission to the end of the job. All documents must succeed."""
    from db import progress
    from scheduler import requests
    from scheduler.requests import JobRequest

    parameters = (
        {} if home is None else {"arch": "pretrained", "pretrained": str(home / "electra"), "epochs": 1}
    )
    started = time.perf_counter()
    with store.write() as session:
        job_id = requests.submit(session, JobRequest(kind, collection, "sentiment", parameters)).job_id
    try:
        wait_for_end(store, job_id, MOST_SECONDS)
    except TimeoutError:
        logs = sorted(Path(os.environ["DOCMILL_HOME"]).glob("*.log"))
        print(*(f"{path.name}:\n{path.read_text()[-3000:]}" for path in logs), sep="\n")
        raise
    seconds = time.perf_counter() - started
    with store.read() as session:
        done = progress.of(session, job_id)
    if done.n_ok != done.n_documents:
        raise SystemExit(f"{kind}: {done.n_ok} of {done.n_documents} documents succeeded: {done.note}")
    return done.n_documents, seconds


def _last_job(store: Any) -> int:
    from sqlalchemy import func, select

    from db.tables import Job

    with store.read() as session:
        return int(session.scalar(select(func.max(Job.id))))


def _learnt(store: Any) -> list[Any]:
    from sqlalchemy import select

    from db.tables import BatchSize

    with store.read() as session:
        return list(session.scalars(select(BatchSize).order_by(BatchSize.device, BatchSize.bucket)))


if __name__ == "__main__":
    main()
