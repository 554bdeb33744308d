"""docmill status, results, cancel, pause, resume: show jobs, and hold or end them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands.options import Format, JobId, Json, Limit
from docmill.commands.output import (
    print_csv,
    print_json,
    print_json_array,
    print_jsonl,
    say,
    users_umask,
    warn,
)
from docmill.commands.tables import print_table
from docmill.doctor.obstacles import obstacles

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.progress import JobProgress

#: Rows of a table for people, if no limit is given.
TABLE_ROWS = 50
#: Documents of a page, if no limit is given.
PAGE_DOCUMENTS = 100


def status(
    job: Annotated[
        int | None, typer.Argument(metavar="[JOB]", help="The job's number; the latest jobs if not given.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Show the latest N jobs.")] = 20,
    json: Json = False,
) -> None:
    """Show jobs and their progress.

    If a job makes no progress, its note says why: a fault, a job that it waits for, a limit, or no running scheduler
    or worker. Documents that were not tried because the job was cancelled do not count as errors.

    Example: docmill status
    """
    from dataclasses import asdict

    from db import progress
    from docmill.doctor.members import devices_out
    from scheduler.store import store

    with store().read() as session:
        found = progress.newest(session, limit) if job is None else [progress.of(session, job)]
        in_the_way = obstacles(session, found)
        out = list(devices_out(session))
    if json:
        rows = [asdict(each) | {"obstacle": in_the_way.get(each.job_id)} for each in found]
        print_json(rows if job is None else rows[0])
        return
    columns = (
        "job", "kind", "collection", "state", "done", "ok", "errors", "cancelled", "model", "where", "submitter",
        "created", "note",
    )  # fmt: skip
    rows = [_status_row(each, in_the_way.get(each.job_id)) for each in found]
    print_table(
        rows,
        columns,
        f"no jobs yet in {store().name}: docmill submit KIND --collection NAME",
        spare=("submitter", "created", "where"),
    )
    if rows and sys.stdout.isatty():
        # Programs that read a table get its rows alone.
        say(f"store: {store().name}")
    for finding in out:
        warn(f"{finding.what}: {finding.detail}")


def results(
    job: JobId,
    format: Annotated[Format, typer.Option(help="csv is safe to open in a spreadsheet.")] = Format.TABLE,
    table: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Another of the kind's result tables.")
    ] = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="Print the documents that failed, and why.")
    ] = False,
    meta: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELDS", help="Add columns with metadata of the documents, as in company,published."
        ),
    ] = None,
    limit: Limit = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write an HTML page instead; - for stdout."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all rows as one JSON array.")] = False,
) -> None:
    """Print the result rows of a job.

    For a running job, the rows so far are printed. With --html, a page of the first 100 documents (or --limit) is
    written instead: one file that loads nothing else. That of `summarize` marks the chosen sentences, that of
    `classify` shows what spoke for each label, and both show the metadata; that of a training shows the model; every
    other kind's shows its rows by document.

    Example: docmill results 42 --format csv > summaries.csv
    """
    from itertools import islice

    from db import progress
    from db import results as stored
    from db.retention import passes
    from docmill.job_rows import headings, job_rows
    from readers import metadata
    from scheduler.store import store

    with store().read() as session:
        found = progress.of(session, job)
        if html is not None:
            _write_page(session, found, html, PAGE_DOCUMENTS if limit is None else limit)
            return
        if n_pruned := passes.pruned_of(session, job):
            warn(f"{n_pruned:,} of the job's {found.n_documents:,} outcomes were pruned, with their results")
        fields = [name for each in meta or () for name in metadata.names(each)]
        rows = stored.errors_of(session, job) if errors else job_rows(session, found, table, fields)
        if json:
            print_json_array(islice(rows, limit))
            return
        for_people = format is Format.TABLE and limit is None
        shown = islice(rows, TABLE_ROWS if for_people else limit)
        print_rows(shown, format, _no_rows(found, errors=errors), headings(found.kind))
        if for_people and next(rows, None) is not None:
            warn(f"there are more rows: --limit N, or --format csv for all of job {job}")


def cancel(job: JobId) -> None:
    """End a job early.

    Results that are there stay; every other document gets the outcome CANCELLED. A running `docmill scheduler` or
    `docmill up` does the work.

    Example: docmill cancel 42
    """
    from db import jobs

    _change(lambda session: jobs.stop(session, job, "CANCELLED", "the job was cancelled"))
    say(f"job {job} is being cancelled")


def pause(job: JobId) -> None:
    """Pause a job.

    Chunks that are being processed finish, and no other chunk starts.

    Example: docmill pause 42
    """
    from db import jobs

    _change(lambda session: jobs.pause(session, job))
    say(f"job {job} is paused: docmill resume {job} continues it")


def resume(job: JobId) -> None:
    """Continue a paused job.

    Example: docmill resume 42
    """
    from db import jobs

    _change(lambda session: jobs.resume(session, job))
    say(f"job {job} continues")


def _status_row(p: JobProgress, obstacle: str | None) -> dict[str, Any]:
    model = f"{p.model.partition('@')[0]}@{p.model_version}" if p.model and p.model_version else p.model
    done = f"{p.n_done:,} of {p.n_documents:,}"
    return {
        "job": p.job_id, "kind": p.kind, "collection": p.collection, "state": p.shown_state, "done": done,
        "ok": p.n_ok, "errors": p.n_failed, "cancelled": p.n_cancelled or None, "model": model,
        "where": p.where_clause, "submitter": p.submitter, "created": p.created_at, "note": obstacle or p.note,
    }  # fmt: skip


def print_rows(
    rows: Iterator[dict[str, Any]], format_: Format, empty: str, headings: Mapping[str, str] | None = None
) -> None:
    """Rows in the given format; `empty` is printed instead of an empty table, and `headings` renames columns of a
    table."""
    if format_ is Format.CSV:
        print_csv(rows)
    elif format_ is Format.JSONL:
        print_jsonl(rows)
    else:
        headings = headings or {}
        found = [{headings.get(name, name): value for name, value in row.items()} for row in rows]
        print_table(found, tuple(found[0]) if found else (), empty)


def _write_page(session: Session, job: JobProgress, path: Path, limit: int) -> None:
    from docmill.pages.registry import job_page

    page = job_page(job)
    pieces = page.write(session, job, limit)
    if str(path) == "-":
        for piece in pieces:
            say(piece.rstrip("\n"))
    else:
        with users_umask(), path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)
        say(f"{path}: {min(limit, job.n_ok):,} documents" if page.has_documents else str(path))
    if page.has_documents and limit < job.n_ok:
        warn(f"there are more: --limit {job.n_ok} for all of job {job.job_id}")


def _no_rows(job: JobProgress, *, errors: bool) -> str:
    if errors:
        return "no document failed" + ("" if job.ended else " so far")
    if not job.ended:
        return f"no rows yet: job {job.job_id} is {job.state}, {job.n_done:,} of {job.n_documents:,} documents done"
    if not job.n_error or job.n_ok:
        return "no rows"
    if not job.n_failed:
        return f"no rows: the job was cancelled before any of its {job.n_cancelled:,} documents was done"
    which = f"all {job.n_failed:,}" if not job.n_cancelled else f"{job.n_failed:,} of {job.n_documents:,}"
    return f"no rows: {which} documents failed, see docmill results {job.job_id} --errors"


def _change(step: Callable[[Session], None]) -> None:
    from scheduler.store import store

    with store().write() as session:
        step(session)
