"""The demo, step by step: start everything, add, train, submit, watch, show."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from db import documents, progress
from db.documents import NewDocument
from docmill.commands.output import console, say
from docmill.demo import corpora
from docmill.local.embedded import Stack
from workers.settings import settings

if TYPE_CHECKING:
    from db.progress import JobProgress
    from db.store import Store

#: If the jobs take longer than this, the demo ends with an error.
PATIENCE_SECONDS = 600.0
#: Without a terminal, seconds between two lines of progress.
LINE_SECONDS = 5.0


def run(*, devices: str, keep: bool) -> None:
    """Run the whole demo. TimeoutError, with the place of the logs, if a job does not end."""
    home = settings().home_path / "demo"
    os.environ |= {"DOCMILL_HOME": str(home), "DOCMILL_KIND_MODULES": "docmill.demo.fragile"}
    os.environ.pop("DOCMILL_DATABASE_URL", None)
    os.environ.pop("DOCMILL_REDIS_URL", None)
    settings.cache_clear()

    from scheduler.store import store

    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    stays = keep or _at_a_terminal()
    # Pages that end with the demo, before anybody could open them, are of no use.
    stack = Stack(settings(), devices, pages_port=8484 if stays else None)
    try:
        say(f"Starting Redis, a scheduler and workers in {_relative(home)} ...")
        stack.start()
        added = _add_everything(store())
        extraction = _add_files(store)
        jobs, n_created = _submit_everything()
        if extraction is not None:
            jobs["files"] = extraction
            n_created += 1
        if added == 0 and n_created == 0:
            say("Nothing to do: every document is in the store, and every job was done before.")
        _watch(store(), jobs, stack, stopping)
        if stopping.is_set():
            raise KeyboardInterrupt
        _show(store(), jobs)
        _next_steps(stack, jobs, stays=stays)
        if stays:
            _stay(stack, stopping, keep=keep)
    finally:
        stack.stop()
    if stays:
        say("Everything is stopped; the results stay.")


def _add_everything(store: Store) -> int:
    """Returns the number of new documents."""
    from readers import BadRecord, ReadOptions, Record, read

    n_new = (
        _add(store, corpora.NEWS, corpora.news())
        + _add(store, corpora.TICKETS, corpora.tickets(held_out=False))
        + _add(store, corpora.NEW_TICKETS, corpora.tickets(held_out=True))
    )
    bad: list[BadRecord] = []

    def korean() -> Iterable[NewDocument]:
        folder = corpora.examples() / "documents"
        for encoding, paths in _by_encoding(folder):
            for record in read(paths, ReadOptions(encoding=encoding)):
                if isinstance(record, Record):
                    yield NewDocument(record.key, record.text, record.label, record.source, meta=record.meta)
                else:
                    bad.append(record)

    n_new += _add(store, corpora.KOREAN, korean())
    for record in bad:
        say(f"  one bad record, which is skipped: {record}")
    return n_new


def _add_files(make: Callable[[], Store]) -> int | None:
    """The job that extracts the files; None if they were read before."""
    from scheduler import adding

    folder = corpora.examples() / "documents" / "files"
    report = adding.add(make, folder, collection=corpora.FILES).files
    say(f"  {corpora.FILES}: {report.n_new} new files (PDF, HWPX, HTML), {report.n_unchanged} unchanged")
    return report.job


def _by_encoding(folder: Path) -> list[tuple[str, list[Path]]]:
    """Files with cp949 in their names have that encoding, which Korean Windows writes."""
    apart = corpora.FILES  # these have a collection of their own
    everything = sorted(path for path in folder.iterdir() if path.name[0] != "." and path.name != apart)
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
    """The jobs by what they show, and the number of new ones."""
    from docmill.client import submit

    news, korean, tickets = corpora.NEWS, corpora.KOREAN, corpora.TICKETS
    alike = {"terms": 5, "k": 3}
    asked: dict[str, Callable[[dict[str, int]], dict[str, object]]] = {
        "train-news": lambda _: {"kind": "train-similarity", "collection": news, "model": news},
        # A few short texts need many epochs before their vectors differ.
        "train-korean": lambda _: {
            "kind": "train-similarity", "collection": korean, "model": korean,
            "parameters": {"epochs": 200, "vector_size": 50},
        },
        "train-tickets": lambda _: {
            "kind": "train-classify", "collection": tickets, "model": tickets, "parameters": {"held_out": 0.2},
        },
        "summaries": lambda _: {"kind": "summarize", "collection": news},
        "korean-summaries": lambda _: {"kind": "summarize", "collection": korean},
        "entities": lambda _: {"kind": "entities", "collection": news},
        "korean-entities": lambda _: {"kind": "entities", "collection": korean},
        "similar": lambda done: {
            "kind": "similarity", "collection": news, "model": news, "parameters": alike, "after": done["train-news"],
        },
        "korean-similar": lambda done: {
            "kind": "similarity", "collection": korean, "model": korean, "parameters": alike,
            "after": done["train-korean"],
        },
        "labels": lambda done: {
            "kind": "classify", "collection": corpora.NEW_TICKETS, "model": tickets, "after": done["train-tickets"],
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
        BarColumn(bar_width=20),
        TextColumn("{task.fields[words]}", markup=False),
    )
    out, tell = console(stderr=True), _Teller()
    with Progress(*columns, console=out, disable=not out.is_terminal) as bars:
        rows = {
            job_id: bars.add_task(f"job {job_id}, {name}", total=1.0, words="")
            for name, job_id in jobs.items()
        }
        for found in _looks(store, jobs, stack, stopping):
            for job in found:
                bars.update(rows[job.job_id], completed=job.share, words=_words(job))
            if not out.is_terminal:
                tell(found)


def _looks(
    store: Store, jobs: dict[str, int], stack: Stack, stopping: threading.Event
) -> Iterator[list[JobProgress]]:
    """The progress of the jobs, again and again until all have ended."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not stopping.wait(0.2):
        stack.keep_up()
        with store.read() as session:
            found = [progress.of(session, job_id) for job_id in jobs.values()]
        yield found
        if all(job.ended for job in found):
            return
        if time.monotonic() > until:
            raise TimeoutError(f"the demo's jobs do not end: see {stack.logs} and `docmill doctor`")


def _words(job: JobProgress) -> str:
    if not job.n_done:
        return (job.note or job.state)[:30]
    return f"{job.n_ok} ok" + (f", {job.n_failed} failed" if job.n_failed else "")


class _Teller:
    """For a file or a pipe: a line every few seconds."""

    def __init__(self) -> None:
        self.told_at = -LINE_SECONDS

    def __call__(self, found: list[JobProgress]) -> None:
        n_ended = sum(job.ended for job in found)
        if n_ended < len(found) and time.monotonic() - self.told_at < LINE_SECONDS:
            return
        self.told_at = time.monotonic()
        at = next((f"; job {job.job_id}: {_words(job)}" for job in found if not job.ended), "")
        say(f"  {n_ended} of {len(found)} jobs done{at}")


def _show(store: Store, jobs: dict[str, int]) -> None:
    from sqlalchemy import text

    from docmill.commands.tables import print_table
    from docmill.demo import showing

    showing.everything(store, jobs)
    say("\nJOBS")
    columns = ("job_id", "kind", "collection", "state", "n_documents", "n_ok", "n_error")
    with store.read() as session:
        rows = session.execute(text(f"SELECT {', '.join(columns)} FROM v_job_progress ORDER BY job_id"))  # noqa: S608
        print_table((dict(row) for row in rows.mappings()), columns, "none")


def _next_steps(stack: Stack, jobs: dict[str, int], *, stays: bool) -> None:
    """What to do next: each line can be typed as it stands, and every address that is printed answers."""
    say("\nNEXT: look at the results of the demo")
    # As `make demo` leaves it, the command is not on the PATH.
    activate = Path(sys.executable).with_name("activate")
    if activate.exists():
        say(f"  source {shlex.quote(_relative(activate))}")
    say(f"  export DOCMILL_HOME={shlex.quote(_relative(stack.home))}")
    say('  docmill sql "SELECT document_key, summary FROM v_latest_summary LIMIT 3"')
    say('  docmill sql "SELECT document_key, error_code FROM v_failures"')
    say(f"  docmill results {jobs['labels']} --limit 5")
    say("  docmill models show tickets --html tickets.html  # the model's quality")
    if not stays:
        say("  docmill serve                                    # all of it in a browser")
    say("\nNEXT: your own documents (README.md continues from here)")
    say("  unset DOCMILL_HOME")
    say("  docmill up                                       # in one terminal")
    say("  docmill add FILES --collection inbox             # in another")
    say("  docmill submit summarize --collection inbox --wait")
    if not stays:
        say("\nEverything is stopped. To keep it running, with the pages and Flower: docmill demo --keep")


def _say_addresses(stack: Stack) -> None:
    if stack.pages is not None:
        say(f"In a browser: {stack.pages.url_that_signs_in}")
    if stack.flower is not None:
        say(f"Flower is up: {stack.flower.url} (user {stack.flower.user}, password {stack.flower.password})")


def _stay(stack: Stack, stopping: threading.Event, *, keep: bool) -> None:
    """Keep everything running: with --keep until Ctrl-C, else until Enter is pressed at the terminal."""
    say("")
    _say_addresses(stack)
    if not keep:
        threading.Thread(target=_stop_at_enter, args=(stopping,), daemon=True).start()
    say("Ctrl-C stops everything." if keep else "Press Enter to stop everything; the results stay.")
    stack.run(stopping)


def _stop_at_enter(stopping: threading.Event) -> None:
    sys.stdin.readline()
    stopping.set()


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _relative(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
