"""docmill watch, and the --wait of others: a job's progress until it has ended."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from scheduler.commands.options import JobId, Json
from scheduler.commands.output import console, duration, print_json, say, warn
from scheduler.commands.shell import CANCELLED, INTERRUPTED, SOME_BAD

if TYPE_CHECKING:
    from db.progress import JobProgress

LOOK_SECONDS = 0.3


def watch(job: JobId, json: Json = False) -> None:
    """Show a job's progress until it has ended.

    Documents per second, time left and errors are shown; Ctrl-C stops the watching, not the job. The exit
    status is 0 when every document succeeded, 3 when some failed, 4 when the job was cancelled.

    Example: docmill watch 42
    """
    raise typer.Exit(follow(job, {} if json else None))


def follow(job_id: int, facts: dict[str, Any] | None = None) -> int:
    """Show a job's progress on stderr until it has ended, then its end on stdout (as JSON, after `facts`, if
    there are some); returns the exit status."""
    try:
        ended = _shown_until_ended(job_id)
    except KeyboardInterrupt:
        warn(f"job {job_id} goes on: `docmill watch {job_id}` shows it, `docmill cancel {job_id}` ends it")
        return INTERRUPTED
    if facts is None:
        say(_ending(ended))
    else:
        print_json(facts | asdict(ended))
    if ended.state == "cancelled":
        return CANCELLED
    return SOME_BAD if ended.n_error else 0


def _shown_until_ended(job_id: int) -> JobProgress:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from scheduler.client import JobHandle

    handle = JobHandle(job_id, 0)
    now = handle.progress()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}", markup=False),
    )
    with Progress(*columns, console=console(stderr=True)) as shown:
        bar = shown.add_task(f"job {job_id}, {now.kind}", total=1.0, words="")
        while True:
            shown.update(bar, completed=now.share, words=_words(now))
            if now.ended:
                return now
            time.sleep(LOOK_SECONDS)
            now = handle.progress()


def _words(p: JobProgress) -> str:
    from datetime import UTC, datetime

    if p.state == "waiting":
        return f"waiting for job {p.after_job_id}"
    if p.state in ("paused", "cancelling"):
        return p.state
    parts = [f"{p.n_done:,} of {p.n_documents:,} documents"]
    if p.started_at is not None and p.n_done and not p.ended:
        seconds = (datetime.now(UTC) - p.started_at).total_seconds()
        parts.append(f"{p.n_done / max(seconds, 0.1):,.0f}/s")
    if p.n_error:
        parts.append(f"{p.n_error:,} errors")
    if p.note and not p.ended:
        parts.append(p.note)
    return ", ".join(parts)


def _ending(p: JobProgress) -> str:
    took = ""
    if p.finished_at and p.started_at:
        took = f" in {duration((p.finished_at - p.started_at).total_seconds())}"
    more = f"; why: docmill results {p.job_id} --errors" if p.n_error else ""
    return f"job {p.job_id} is {p.state}{took}: {p.n_ok:,} ok, {p.n_error:,} failed{more}"
