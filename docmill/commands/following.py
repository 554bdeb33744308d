"""docmill watch, and the --wait of others: a job's progress until it has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from docmill.commands.options import JobId, Json
from docmill.commands.output import console, duration, one_line, print_json, say, warn
from docmill.commands.shell import CANCELLED, INTERRUPTED, SOME_BAD
from docmill.doctor.obstacles import Obstacles

if TYPE_CHECKING:
    from rich.console import Console

    from db.progress import JobProgress

LOOK_SECONDS = 0.3
#: In a file or a pipe, seconds between two lines of progress, at least.
LINE_SECONDS = 10.0


def watch(job: JobId, json: Json = False) -> None:
    """Show a job's progress until it has ended.

    It shows documents per second, time left, errors and the progress of a training, and the reason if the job does
    not progress. In a file or a pipe, there is at most one line every 10 seconds. Ctrl-C stops the watching, not the
    job. The exit status is 0 if every document succeeded, 3 if some failed, 4 if the job was cancelled.

    Example: docmill watch 42
    """
    raise typer.Exit(follow(job, {} if json else None))


def follow(job_id: int, facts: dict[str, Any] | None = None) -> int:
    """Show a job's progress on stderr until it has ended, then its end on stdout (as JSON together with `facts`, if
    they are given); returns the exit status."""
    try:
        ended = shown_until_ended(job_id)
    except KeyboardInterrupt:
        warn(f"job {job_id} continues: `docmill watch {job_id}` shows it, `docmill cancel {job_id}` ends it")
        return INTERRUPTED
    if facts is None:
        say(_ending(ended))
    else:
        print_json(facts | asdict(ended))
    if ended.state == "cancelled":
        return CANCELLED
    return SOME_BAD if ended.n_error else 0


def shown_until_ended(job_id: int) -> JobProgress:
    """Show a job's progress on stderr until it has ended."""
    out = console(stderr=True)
    return _as_a_bar(job_id, out) if out.is_terminal else _in_lines(job_id)


def _as_a_bar(job_id: int, out: Console) -> JobProgress:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from db.progress import share_and_words

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}", markup=False),
    )
    with Progress(*columns, console=out) as shown:
        bar = shown.add_task(f"job {job_id}", total=1.0, words="")
        for now, obstacle in _looks(job_id):
            # The bar shows the share with which the note of a training begins.
            _, words = share_and_words(_words(now))
            shown.update(bar, description=f"job {job_id}, {now.kind}", completed=now.share, words=words)
            if obstacle:
                out.print(obstacle)
    return now


def _in_lines(job_id: int) -> JobProgress:
    """For a file or a pipe: a line from time to time, if there is something new."""
    said, said_at = "", time.monotonic()
    for now, obstacle in _looks(job_id):
        if obstacle:
            warn(obstacle)
        if time.monotonic() - said_at > LINE_SECONDS and (words := _words(now)) != said:
            warn(f"job {job_id}: {words}")
            said, said_at = words, time.monotonic()
    return now


def _looks(job_id: int) -> Iterator[tuple[JobProgress, str]]:
    """The job's progress, again and again until it has ended, and what stops it, if that is new."""
    obstacles = Obstacles()
    while not (now := _now(job_id)).ended:
        yield now, obstacles.news(now, time.monotonic(), partial(_why_still, now))
        time.sleep(LOOK_SECONDS)
    yield now, ""


def _now(job_id: int) -> JobProgress:
    from db import progress
    from scheduler.store import store

    with store().read() as session:
        return progress.of(session, job_id)


def _why_still(now: JobProgress) -> str:
    from docmill.doctor import standstill
    from scheduler.store import store
    from workers.settings import settings

    with store().read() as session:
        found = standstill.of(session, [now], settings(), 0).get(now.job_id)
    return found.why if found else ""


def _words(p: JobProgress) -> str:
    from datetime import UTC, datetime

    if p.state == "waiting":
        return f"waiting for job {p.after_job_id}"
    if p.state in ("paused", "cancelling"):
        return p.state
    if p.note and not p.n_done and not p.fault:
        # A training: all its documents are done at its end.
        return p.note
    parts = [f"{p.n_done:,} of {p.n_documents:,} documents"]
    if p.fault:
        parts.append(p.fault.partition(": ")[0])
    if p.started_at is not None and p.n_done and not p.ended:
        seconds = (datetime.now(UTC) - p.started_at).total_seconds()
        parts.append(f"{p.n_done / max(seconds, 0.1):,.0f}/s")
    if p.n_failed:
        parts.append(f"{p.n_failed:,} errors")
    if p.n_cancelled:
        parts.append(f"{p.n_cancelled:,} cancelled")
    return ", ".join(parts)


def _ending(p: JobProgress) -> str:
    from db.progress import FAILED

    took = ""
    if p.finished_at and p.started_at:
        took = f" in {duration((p.finished_at - p.started_at).total_seconds())}"
    state = "failed" if p.failed else f"is {p.state}"
    said = f"job {p.job_id} {state}{took}: {p.n_ok:,} ok, {p.n_failed:,} failed"
    if p.n_cancelled:
        said += f", {p.n_cancelled:,} cancelled"
    if not p.n_failed:
        return f"{said}; {p.note}" if p.note else said
    if p.failed and p.note:
        said += f", {one_line(p.note.removeprefix(FAILED))}"
    return f"{said}; why: docmill results {p.job_id} --errors"
