"""docmill submit, train, status, watch, results, cancel, pause, resume, retry."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.commands.output import (
    duration,
    print_csv,
    print_json,
    print_jsonl,
    print_table,
    say,
)

if TYPE_CHECKING:
    from db.jobs import Submitted
    from db.progress import JobProgress
    from scheduler.requests import JobRequest

#: Exit status of a job that ended with failed documents, and of one that was cancelled.
SOME_FAILED = 3
CANCELLED = 4

JobId = Annotated[int, typer.Argument(metavar="JOB", help="The job's number, as submit printed it.")]
Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show progress until the job has ended.")]
Collection = Annotated[str, typer.Option(help="The collection whose latest documents are taken.")]
Parameters = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="May be given again.")
]
Priority = Annotated[int, typer.Option(help="0 (whenever) to 9 (at once).")]
Key = Annotated[str | None, typer.Option(help="The same key twice is one job.")]
After = Annotated[int | None, typer.Option(metavar="JOB", help="Run once that job has finished.")]


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"


def submit(
    kind: Annotated[
        str, typer.Argument(help="What to do: summarize, classify, similarity; `docmill kinds` lists all.")
    ],
    collection: Collection,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME[@VERSION]", help="The model; its champion if no version is given."),
    ] = None,
    parameter: Parameters = None,
    priority: Priority = 5,
    key: Key = None,
    after: After = None,
    new: Annotated[
        bool, typer.Option("--new", help="Only documents that no job like this one has given a result.")
    ] = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Submit a job over the documents of a collection; prints its number.

    With --wait the exit status is 0 when all documents succeeded, 3 when some failed, 4 when cancelled.

    Example: docmill submit summarize --collection inbox -p sentences=2 --wait
    """
    from scheduler.requests import JobRequest

    request = JobRequest(kind, collection, model, parse(parameter), priority, key, after, only_new=new)
    _report(_submit(request), request.kind, wait=wait, json=json)


def train(
    kind: Annotated[str, typer.Argument(help="What the model is for: classify or similarity.")],
    collection: Collection,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model's name; the collection's if not given.")
    ] = None,
    parameter: Parameters = None,
    priority: Priority = 5,
    key: Key = None,
    after: After = None,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Train a model on the documents of a collection. The new version becomes the model's champion.

    Example: docmill train classify --collection reviews --model sentiment --wait
    """
    from scheduler.requests import JobRequest

    request = JobRequest(f"train-{kind}", collection, model, parse(parameter), priority, key, after)
    _report(_submit(request), request.kind, wait=wait, json=json)


def status(
    job: Annotated[
        int | None, typer.Argument(metavar="[JOB]", help="One job; the last ones if not given.")
    ] = None,
    limit: Annotated[int, typer.Option(help="So many jobs.")] = 20,
    json: Json = False,
) -> None:
    """Show jobs and how far they are.

    Example: docmill status
    """
    from dataclasses import asdict

    from db import progress
    from scheduler.client import store

    with store().read() as session:
        found = progress.newest(session, limit) if job is None else [progress.of(session, job)]
    if json:
        rows = [asdict(job_progress) for job_progress in found]
        print_json(rows if job is None else rows[0])
        return
    columns = ("job", "kind", "collection", "state", "done", "ok", "errors", "model", "created", "note")
    print_table(
        [_status_row(p) for p in found], columns, "no jobs yet: docmill submit KIND --collection NAME"
    )


def watch(job: JobId) -> None:
    """Show a job's progress, documents per second, time left and errors until it has ended.

    Ctrl-C stops the watching, not the job.

    Example: docmill watch 42
    """
    raise typer.Exit(follow(job))


def results(
    job: JobId,
    format: Annotated[
        Format, typer.Option(help="table, csv (safe for spreadsheets) or jsonl.")
    ] = Format.TABLE,
    table: Annotated[
        str | None, typer.Option(help="Another of the kind's tables: summary_sentence, ...")
    ] = None,
    errors: Annotated[bool, typer.Option("--errors", help="The documents that failed, and why.")] = False,
    limit: Annotated[int | None, typer.Option(help="At most so many rows; 50 for a table.")] = None,
) -> None:
    """Print what a job found, row by row.

    Example: docmill results 42 --format csv > summaries.csv
    """
    from itertools import islice

    from db import progress
    from db import results as stored
    from scheduler.client import main_table, store

    with store().read() as session:
        kind = progress.of(session, job).kind
        rows = (
            stored.errors_of(session, job)
            if errors
            else stored.rows_of(session, job, _table_of(kind, table, main_table))
        )
        if limit is None and format is Format.TABLE:
            limit = 50
        _print_rows(islice(rows, limit), format)


def cancel(job: JobId) -> None:
    """End a job early. What is done stays; every other document gets the outcome CANCELLED.

    Example: docmill cancel 42
    """
    from db import jobs

    _change(lambda session: jobs.stop(session, job, "CANCELLED", "the job was cancelled"))
    say(f"job {job} is being cancelled")


def pause(job: JobId) -> None:
    """Hold a job: chunks that are being worked on end, no other begins.

    Example: docmill pause 42
    """
    from db import jobs

    _change(lambda session: jobs.pause(session, job))
    say(f"job {job} is paused: docmill resume {job} goes on")


def resume(job: JobId) -> None:
    """Go on with a paused job.

    Example: docmill resume 42
    """
    from db import jobs

    _change(lambda session: jobs.resume(session, job))
    say(f"job {job} goes on")


def retry(job: JobId, wait: Wait = False, json: Json = False) -> None:
    """Submit a new job over the documents that failed in a job (their latest versions).

    Example: docmill retry 42 --wait
    """
    from db import progress
    from scheduler import requests
    from scheduler.client import store

    with store().write() as session:
        submitted = requests.retry(session, job)
        kind = progress.of(session, job).kind
    _report(submitted, kind, wait=wait, json=json)


def kinds(json: Json = False) -> None:
    """List the kinds of jobs and their parameters.

    Example: docmill kinds
    """
    from dataclasses import fields

    from workers.kinds import all_kinds

    rows: list[dict[str, Any]] = [
        {
            "kind": kind.name,
            "summary": kind.summary,
            "parameters": {field.name: field.default for field in fields(kind.parameters)},
        }
        for kind in all_kinds().values()
    ]
    if json:
        print_json(rows)
        return
    for row in rows:
        row["parameters"] = " ".join(f"{name}={value}" for name, value in row["parameters"].items())
    print_table(rows, ("kind", "summary", "parameters"), "none")


def parse(pairs: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE pairs as a dictionary."""
    found: dict[str, Any] = {}
    for pair in pairs or []:
        name, separator, value = pair.partition("=")
        if not separator:
            raise ValueError(f"-p {pair!r}: write NAME=VALUE, as in -p sentences=2")
        found[name.strip()] = value
    return found


def follow(job_id: int) -> int:
    """Show a job's progress until it has ended; returns the exit status."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from scheduler.client import JobHandle
    from scheduler.commands.output import console

    handle = JobHandle(job_id, 0)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[words]}"),
    )
    with Progress(*columns, console=console(stderr=True)) as shown:
        bar = shown.add_task(f"job {job_id}", total=1.0, words="")
        while True:
            now = handle.progress()
            shown.update(bar, completed=now.share, description=f"job {job_id}, {now.kind}", words=_words(now))
            if now.ended:
                break
            _pause_between_looks()
    say(_ending(now))
    if now.state == "cancelled":
        return CANCELLED
    return SOME_FAILED if now.n_error else 0


def _pause_between_looks() -> None:
    import time

    time.sleep(0.3)


def _submit(request: JobRequest) -> Submitted:
    from scheduler import requests
    from scheduler.client import store

    with store().write() as session:
        return requests.submit(session, request)


def _report(submitted: Submitted, kind: str, *, wait: bool, json: bool) -> None:
    job_id = submitted.job_id
    if json:
        print_json(
            {"job": job_id, "kind": kind, "n_documents": submitted.n_documents, "created": submitted.created}
        )
    elif submitted.created:
        say(f"job {job_id}: {kind} over {submitted.n_documents:,} documents")
    else:
        say(f"job {job_id} has this key already: {kind} over {submitted.n_documents:,} documents")
    if wait:
        raise typer.Exit(follow(job_id))


def _status_row(p: JobProgress) -> dict[str, Any]:
    model = f"{p.model.partition('@')[0]}@{p.model_version}" if p.model and p.model_version else p.model
    done = f"{p.n_done:,} of {p.n_documents:,}"
    return {
        "job": p.job_id, "kind": p.kind, "collection": p.collection, "state": p.state, "done": done,
        "ok": p.n_ok, "errors": p.n_error, "model": model, "created": p.created_at, "note": p.note,
    }  # fmt: skip


def _words(p: JobProgress) -> str:
    from datetime import UTC, datetime

    if p.state in ("waiting", "paused", "cancelling"):
        return p.state + (f" for job {p.after_job_id}" if p.state == "waiting" else "")
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
    took = (
        f" in {duration((p.finished_at - p.started_at).total_seconds())}"
        if p.finished_at and p.started_at
        else ""
    )
    more = f"; why: docmill results {p.job_id} --errors" if p.n_error else ""
    return f"job {p.job_id} is {p.state}{took}: {p.n_ok:,} ok, {p.n_error:,} failed{more}"


def _table_of(kind: str, table: str | None, main_table: Any) -> str:
    from db.results import BY_JOB
    from workers.kinds import find

    if table is None:
        return str(main_table(kind))
    tables = [row.table for row in find(kind).rows if row.table in BY_JOB]
    if table not in tables:
        raise ValueError(f"{kind} has no table {table!r}: choose one of {', '.join(tables)}")
    return table


def _print_rows(rows: Any, format_: Format) -> None:
    if format_ is Format.CSV:
        print_csv(rows)
    elif format_ is Format.JSONL:
        print_jsonl(rows)
    else:
        found = list(rows)
        print_table(found, tuple(found[0]) if found else (), "no rows")


def _change(step: Any) -> None:
    from scheduler.client import store

    with store().write() as session:
        step(session)
