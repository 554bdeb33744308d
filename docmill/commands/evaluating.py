"""docmill evaluate: compare a job's summaries with those that people wrote."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docmill.commands.file_options import Delimiter, Encoding, KeyField, read_options, say_bad, say_notices
from docmill.commands.following import follow
from docmill.commands.options import JobId, Json, Priority, Wait
from docmill.commands.output import say, warn
from docmill.commands.shell import CANCELLED, FAILED, INTERRUPTED
from docmill.commands.submitting import report

if TYPE_CHECKING:
    from readers import ReadOptions


def evaluate(
    job: JobId,
    references: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A file with keys and summaries that people wrote, as for `add`; the documents' labels if not given.",
        ),
    ] = None,
    key_field: KeyField = None,
    summary_field: Annotated[
        str, typer.Option(metavar="NAME", help="Field or column with the summary.")
    ] = "summary",
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    priority: Priority = 5,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Compare a job's summaries with references (ROUGE).

    This is a job of its own over the same collection. It has a row for each document, and an error for each one
    without a summary or a reference. With --wait the means are printed at the end. Exit statuses are those of submit.

    Example: docmill evaluate 42 --references gold.jsonl --wait
    """
    from db import progress
    from scheduler import requests
    from scheduler.requests import JobRequest
    from scheduler.store import store
    from workers import tracing

    with store().read() as session:
        judged = progress.of(session, job)
    if judged.kind != "summarize":
        raise ValueError(f"job {job} is a {judged.kind} job: evaluate needs a summarize job")
    options = read_options(
        key_field=key_field,
        text_field=summary_field,
        text_option="--summary-field",
        encoding=encoding,
        delimiter=delimiter,
        txt_tables="always",
        needs_key=True,
    )
    name = _stored(references, options, judged.collection) if references else ""
    parameters = {"job": job, "references": name}
    tracing.start("docmill")
    with store().write() as session:
        submitted = requests.submit(
            session, JobRequest("evaluate", judged.collection, parameters=parameters, priority=priority)
        )
    if not wait or json:
        report(submitted, "evaluate", wait=wait, json=json)
        return
    say(f"job {submitted.job_id}: evaluate over {submitted.n_documents:,} documents")
    status = follow(submitted.job_id)
    if status not in (INTERRUPTED, CANCELLED):
        _say_means(submitted.job_id)
    raise typer.Exit(status)


def _say_means(job_id: int) -> None:
    from db import evaluations
    from scheduler.store import store

    with store().read() as session:
        found = evaluations.means(session, job_id)
    if found is None:
        say("no summary could be compared with a reference")
        return
    scores = f"ROUGE-1 {found.rouge_1:.1f}, ROUGE-2 {found.rouge_2:.1f}, ROUGE-L {found.rouge_l:.1f}"
    say(f"{scores} over {found.n_documents:,} documents")


def _stored(path: Path, options: ReadOptions, collection: str) -> str:
    """Store the references of a file; returns the name of the set. The same file again is the same set."""
    from db import documents, evaluations
    from readers import BadRecord, Notice, Record, read
    from scheduler.store import store

    notices: list[Notice] = []
    records = list(read([path], options, notices.append))
    say_notices(notices)
    bad = [record for record in records if isinstance(record, BadRecord)]
    say_bad(bad)
    good = [(record.key, record.text) for record in records if isinstance(record, Record)]
    digest = hashlib.sha256(repr(good).encode()).hexdigest()
    name = f"{path.name}@{digest[:12]}"
    with store().write() as session:
        collection_id = documents.collection_id(session, collection)
        n_known = evaluations.add_references(session, name, collection_id, good)
    warn(f"{path.name}: {len(good):,} references, {n_known:,} of documents in {collection}, {len(bad):,} bad")
    if not n_known:
        if good:
            warn(f"docmill: no key of {path.name} is the key of a document: name the field with --key-field")
        else:
            warn(
                f"docmill: no reference in {path.name}: fix what is listed, or name the field with --summary-field"
            )
        raise typer.Exit(FAILED)
    return name
