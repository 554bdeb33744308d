"""The demo, step by step: start everything, add, train, submit, watch, show."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from db import documents, progress
from db.documents import NewDocument
from scheduler.commands.output import console, say
from scheduler.demo import corpora
from scheduler.embedded import Stack
from workers.settings import settings

if TYPE_CHECKING:
    from db.progress import JobProgress
    from db.store import Store

#: A job that does not end within this time is a fault worth a message.
PATIENCE_SECONDS = 600.0


def run(*, devices: str, keep: bool) -> None:
    """The whole tour. Raises TimeoutError when a job does not end, naming the logs."""
    home = settings().home_path / "demo"
    os.environ |= {"DOCMILL_HOME": str(home), "DOCMILL_KIND_MODULES": "scheduler.demo.fragile"}
    os.environ.pop("DOCMILL_DATABASE_URL", None)
    os.environ.pop("DOCMILL_REDIS_URL", None)
    settings.cache_clear()

    from scheduler.client import store

    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    stack = Stack(settings(), devices)
    try:
        say(f"Starting Redis, a scheduler, workers and Flower in {home}")
        stack.start()
        added = _add_everything(store())
        jobs, n_created = _submit_everything()
        if added == 0 and n_created == 0:
            say("Nothing to do: every document is in the store, and every job was done before.")
        _watch(store(), jobs, stack, stopping)
        if not stopping.is_set():
            show(store(), jobs, stack)
        if keep and not stopping.is_set():
            say("\nStaying up: Ctrl-C stops everything.")
            stack.run(stopping)
    finally:
        stack.stop()
    if stopping.is_set() and not keep:
        raise KeyboardInterrupt


def _add_everything(store: Store) -> int:
    """Returns how many documents are new."""
    from scheduler.readers import BadRecord, ReadOptions, Record, read

    n_new = _add(store, corpora.NEWS, corpora.news()) + _add(store, corpora.REVIEWS, corpora.reviews())
    bad: list[BadRecord] = []

    def korean() -> Iterable[NewDocument]:
        folder = corpora.korean_folder()
        for encoding, paths in _by_encoding(folder):
            for record in read(paths, ReadOptions(encoding=encoding)):
                if isinstance(record, Record):
                    yield NewDocument(record.key, record.text, record.label, record.source)
                else:
                    bad.append(record)

    n_new += _add(store, corpora.KOREAN, korean())
    for record in bad:
        say(f"  one bad record, which costs only itself: {record}")
    return n_new


def _by_encoding(folder: Path) -> list[tuple[str, list[Path]]]:
    """Files with cp949 in their names are in that encoding, as Korean Windows writes."""
    everything = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    cp949 = [path for path in everything if "cp949" in path.name]
    return [("utf-8", [path for path in everything if path not in cp949]), ("cp949", cp949)]


def _add(store: Store, collection: str, texts: Iterable[NewDocument]) -> int:
    with store.write() as session:
        id_ = documents.collection_id(session, collection, create=True)
    added = documents.Added()
    for batch in documents.batches(texts):
        with store.write() as session:
            added += documents.add(session, id_, batch)
    say(f"  {collection}: {added.n_new} new documents, {added.n_unchanged} unchanged")
    return added.n_new


def _submit_everything() -> tuple[dict[str, int], int]:
    """Jobs by what they show; and how many of them are new."""
    from scheduler.client import submit

    news, reviews, korean = corpora.NEWS, corpora.REVIEWS, corpora.KOREAN
    asked: dict[str, Callable[[dict[str, int]], dict[str, object]]] = {
        "train-news": lambda _: {"kind": "train-similarity", "collection": news, "model": news},
        # A handful of short texts needs many passes before their vectors part.
        "train-korean": lambda _: {
            "kind": "train-similarity", "collection": korean, "model": korean,
            "parameters": {"epochs": 200, "vector_size": 50},
        },
        "train-reviews": lambda _: {"kind": "train-classify", "collection": reviews, "model": "sentiment"},
        "summaries": lambda _: {"kind": "summarize", "collection": news},
        "korean-summaries": lambda _: {"kind": "summarize", "collection": korean},
        "similar": lambda done: {"kind": "similarity", "collection": news, "model": news, "after": done["train-news"]},
        "korean-similar": lambda done: {
            "kind": "similarity", "collection": korean, "model": korean, "after": done["train-korean"],
        },
        "labels": lambda done: {
            "kind": "classify", "collection": reviews, "model": "sentiment", "after": done["train-reviews"],
        },
        "fragile": lambda _: {"kind": "demo-fragile", "collection": korean},
    }  # fmt: skip
    jobs: dict[str, int] = {}
    n_created = 0
    for name, request in asked.items():
        handle = submit(key=f"demo-{name}", **request(jobs))  # type: ignore[arg-type]
        jobs[name] = handle.id
        n_created += handle.created
    return jobs, n_created


def _watch(store: Store, jobs: dict[str, int], stack: Stack, stopping: threading.Event) -> None:
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        TextColumn("  {task.description:34}"),
        BarColumn(),
        TextColumn("{task.fields[words]}", markup=False),
    )
    until = time.monotonic() + PATIENCE_SECONDS
    with Progress(*columns, console=console(stderr=True)) as bars:
        rows = {
            job_id: bars.add_task(f"job {job_id}, {name}", total=1.0, words="")
            for name, job_id in jobs.items()
        }
        while not stopping.wait(0.2):
            stack.keep_up()
            with store.read() as session:
                found = [progress.of(session, job_id) for job_id in jobs.values()]
            for job in found:
                bars.update(rows[job.job_id], completed=job.share, words=_words(job))
            if all(job.ended for job in found):
                return
            if time.monotonic() > until:
                raise TimeoutError(f"the demo's jobs do not end: see {stack.logs} and `docmill doctor`")


def _words(job: JobProgress) -> str:
    if not job.n_done:
        return job.note or job.state
    return f"{job.n_ok} ok" + (f", {job.n_error} failed" if job.n_error else "")


def show(store: Store, jobs: dict[str, int], stack: Stack) -> None:
    """A handful of results that a person can judge, the failed document, and what to try next."""
    from sqlalchemy import text

    from scheduler.commands.tables import print_table

    def query(statement: str, **values: object) -> list[dict[str, object]]:
        with store.read() as session:
            return [dict(row) for row in session.execute(text(statement), values).mappings()]

    say("\nSummaries")
    for collection in (corpora.NEWS, corpora.KOREAN):
        for row in query(
            "SELECT document_key, summary FROM v_latest_summary WHERE collection = :c AND n_sentences > 5 "
            "ORDER BY document_key LIMIT 2",
            c=collection,
        ):
            say(f"  {row['document_key']}: {_cut(str(row['summary']), 300)}")
    say("\nNearest neighbours")
    for collection in (corpora.NEWS, corpora.KOREAN):
        for row in query(
            "SELECT s.document_key, s.neighbour_key, s.score, d.text AS document_text, n.text AS neighbour_text "
            "FROM v_similar s JOIN document d ON d.id = s.document_id JOIN document n ON n.id = s.neighbour_id "
            "WHERE s.rank = 1 AND s.collection = :c AND s.document_id < s.neighbour_id "
            "AND d.text <> n.text AND d.body_chars > 150 "
            "ORDER BY s.score DESC LIMIT 3",
            c=collection,
        ):
            say(f"  {row['score']:.2f}  {row['document_key']}: {_cut(str(row['document_text']), 90)}")
            say(f"        {row['neighbour_key']}: {_cut(str(row['neighbour_text']), 90)}")
    say("\nLabels")
    rows = query(
        "SELECT l.label, l.score, d.text FROM v_latest_label l JOIN document d ON d.id = l.document_id "
        "WHERE l.collection = :c ORDER BY l.score DESC LIMIT 4",
        c=corpora.REVIEWS,
    )
    for row in rows:
        say(f"  {row['label']} {row['score']:.2f}  {_cut(str(row['text']), 100)}")
    say("\nThe document that failed, and why")
    for row in query(
        "SELECT document_key, error_code, error_detail FROM v_failures WHERE job_id = :j", j=jobs["fragile"]
    ):
        say(f"  {row['document_key']}: {row['error_code']}: {_cut(str(row['error_detail']), 200)}")
    say("\nJobs")
    columns = ("job_id", "kind", "collection", "state", "n_documents", "n_ok", "n_error")
    print_table(query(f"SELECT {', '.join(columns)} FROM v_job_progress ORDER BY job_id"), columns, "none")  # noqa: S608
    _next_steps(stack)


def _next_steps(stack: Stack) -> None:
    # As `make demo` leaves it, the command is not on the PATH.
    docmill = f"DOCMILL_HOME={_relative(stack.home)} {_relative(Path(sys.executable).with_name('docmill'))}"
    say("Try in SQL:")
    for statement in (
        "SELECT document_key, summary FROM v_latest_summary WHERE collection = 'korean' LIMIT 3",
        "SELECT document_key, neighbour_key, score FROM v_similar WHERE rank = 1 ORDER BY score DESC LIMIT 5",
        "SELECT document_key, error_code, error_detail FROM v_failures",
    ):
        say(f'  {docmill} sql "{statement}"')
    if stack.flower is not None:
        say(
            f"Flower: {stack.flower.url} (user {stack.flower.user}, password {stack.flower.password}) "
            "while `docmill demo --keep` runs"
        )


def _cut(value: str, width: int) -> str:
    line = " ".join(value.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def _relative(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
