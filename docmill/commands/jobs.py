"""docmill status, results, cancel, pause, resume, kinds: looking at jobs, and holding or ending them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
#: What a table for people calls a column whose name alone misleads.
HEADINGS = {"n_sentences": "n_document_sentences"}


def status(
    job: Annotated[
        int | None, typer.Argument(metavar="[JOB]", help="One job; the last ones if not given.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="The last so many jobs.")] = 20,
    json: Json = False,
) -> None:
    """Show jobs and how far they are.

    The note of a job that does not move says what is in the way: a fault, another job that it waits for, or that no
    scheduler or no worker runs. Documents that nobody tried, because the job was cancelled, are no errors.

    Example: docmill status
    """
    from dataclasses import asdict

    from db import progress
    from scheduler.store import store

    with store().read() as session:
        found = progress.newest(session, limit) if job is None else [progress.of(session, job)]
        in_the_way = obstacles(session, found)
    if json:
        rows = [asdict(each) | {"obstacle": in_the_way.get(each.job_id)} for each in found]
        print_json(rows if job is None else rows[0])
        return
    columns = (
        "job", "kind", "collection", "state", "done", "ok", "errors", "cancelled", "model", "created", "note",
    )  # fmt: skip
    rows = [_status_row(each, in_the_way.get(each.job_id)) for each in found]
    print_table(rows, columns, "no jobs yet: docmill submit KIND --collection NAME", spare=("created",))


def results(
    job: JobId,
    format: Annotated[Format, typer.Option(help="csv is safe to open in a spreadsheet.")] = Format.TABLE,
    table: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Another of the kind's tables: summary_sentence, ...")
    ] = None,
    errors: Annotated[bool, typer.Option("--errors", help="The documents that failed, and why.")] = False,
    limit: Limit = None,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Of summaries: write a page with documents and summaries side by side."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all rows as one JSON array.")] = False,
) -> None:
    """Print what a job found, row by row.

    What a running job has found so far is there too. With --html, a page of the first 100 documents (or --limit)
    is written instead: the chosen sentences are marked, and nothing is fetched from the net.

    Example: docmill results 42 --format csv > summaries.csv
    """
    from itertools import islice

    from db import progress
    from db import results as stored
    from scheduler.store import store

    with store().read() as session:
        found = progress.of(session, job)
        if html is not None:
            _write_page(session, found, html, PAGE_DOCUMENTS if limit is None else limit)
            return
        rows = stored.errors_of(session, job) if errors else _rows(session, found, table)
        if json:
            print_json_array(islice(rows, limit))
            return
        for_people = format is Format.TABLE and limit is None
        print_rows(islice(rows, TABLE_ROWS if for_people else limit), format, _no_rows(found, errors=errors))
        if for_people and next(rows, None) is not None:
            warn(f"there are more rows: --limit N, or --format csv for all of job {job}")


def cancel(job: JobId) -> None:
    """End a job early.

    What is done stays; every other document gets the outcome CANCELLED. A running `docmill scheduler` or `up`
    does the work.

    Example: docmill cancel 42
    """
    from db import jobs

    _change(lambda session: jobs.stop(session, job, "CANCELLED", "the job was cancelled"))
    say(f"job {job} is being cancelled")


def pause(job: JobId) -> None:
    """Hold a job.

    Chunks that are being worked on end, and no other begins.

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


def _status_row(p: JobProgress, obstacle: str | None) -> dict[str, Any]:
    model = f"{p.model.partition('@')[0]}@{p.model_version}" if p.model and p.model_version else p.model
    done = f"{p.n_done:,} of {p.n_documents:,}"
    return {
        "job": p.job_id, "kind": p.kind, "collection": p.collection, "state": p.shown_state, "done": done,
        "ok": p.n_ok, "errors": p.n_failed, "cancelled": p.n_cancelled or None, "model": model,
        "created": p.created_at, "note": obstacle or p.note,
    }  # fmt: skip


def print_rows(rows: Iterator[dict[str, Any]], format_: Format, empty: str) -> None:
    """Rows in the format asked for; `empty` is what a person reads when there are none."""
    if format_ is Format.CSV:
        print_csv(rows)
    elif format_ is Format.JSONL:
        print_jsonl(rows)
    else:
        # In a table with the summary, n_sentences reads as the summary's own length.
        found = [{HEADINGS.get(name, name): value for name, value in row.items()} for row in rows]
        print_table(found, tuple(found[0]) if found else (), empty)


def _rows(session: Session, job: JobProgress, table: str | None) -> Iterator[dict[str, Any]]:
    from db import results as stored
    from docmill.client import main_table
    from workers.kinds import find

    kind = find(job.kind)
    if kind.train is not None:
        raise ValueError(f"{kind.name} makes a model, and no rows: docmill models show {job.model}")
    tables = [row.table for row in kind.rows if row.table in stored.by_job()]
    if table is not None and table not in tables:
        raise ValueError(f"{kind.name} has no table {table!r}: choose one of {', '.join(tables)}")
    return stored.rows_of(session, job.job_id, table or main_table(kind.name))


def _other_page(job: JobProgress) -> str:
    """What has a page, for a job that has none; of a job with a classifier, that classifier."""
    model = "NAME"
    if job.model and job.kind in ("train-classify", "classify", "shadow-classify"):
        name = job.model.partition("@")[0]
        model = f"{name}@{job.model_version}" if job.model_version else name
    return f"--html shows summaries; a classifier has a page by `docmill models show {model} --html FILE`"


def _write_page(session: Session, job: JobProgress, path: Path, limit: int) -> None:
    from db import summaries
    from docmill.pages.summaries import Sentence, Summarized, page

    if job.kind != "summarize":
        raise ValueError(f"job {job.job_id} is of the kind {job.kind}: {_other_page(job)}")
    documents = (
        Summarized(*row, [Sentence(one["start_char"], one["end_char"], one["score"]) for one in chosen])
        for row, chosen in summaries.of_job(session, job.job_id, limit)
    )
    shown = f"the first {limit:,} of " if limit < job.n_ok else ""
    facts = f"{job.collection}: {shown}{job.n_ok:,} documents with a summary, {job.n_failed:,} failed"
    facts += f", {job.n_cancelled:,} cancelled" if job.n_cancelled else ""

    pieces = page(f"Summaries of job {job.job_id}", facts, documents)
    if str(path) == "-":
        for piece in pieces:
            say(piece.rstrip("\n"))
    else:
        with users_umask(), path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)
        say(f"{path}: {min(limit, job.n_ok):,} documents")
    if shown:
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
