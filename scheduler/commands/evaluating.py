"""docmill evaluate: a job's summaries beside those that people wrote."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from scheduler.commands.following import follow
from scheduler.commands.options import JobId, Json, Priority, Wait
from scheduler.commands.output import say, warn
from scheduler.commands.shell import CANCELLED, FAILED, INTERRUPTED
from scheduler.commands.submitting import report

#: So many bad records of a file are shown; the rest is counted.
SHOWN = 20


def evaluate(
    job: JobId,
    references: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A .jsonl or .csv with keys and summaries that people wrote; the documents' labels if not given.",
        ),
    ] = None,
    key_field: Annotated[
        str, typer.Option(metavar="NAME", help="Field or column with the document's key.")
    ] = "id",
    summary_field: Annotated[
        str, typer.Option(metavar="NAME", help="Field or column with the summary.")
    ] = "summary",
    priority: Priority = 5,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Compare a job's summaries with references (ROUGE).

    It is a job of its own over the same collection: a row for each document, and an error for one without a
    summary or a reference. With --wait the means are printed at the end, and exit statuses are those of submit.

    Example: docmill evaluate 42 --references gold.jsonl --wait
    """
    from db import progress
    from scheduler import requests
    from scheduler.client import store
    from scheduler.requests import JobRequest

    with store().read() as session:
        judged = progress.of(session, job)
    if judged.kind != "summarize":
        raise ValueError(f"job {job} is of the kind {judged.kind}: evaluate judges summaries")
    name = _stored(references, key_field, summary_field, judged.collection) if references else ""
    parameters = {"job": job, "references": name}
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
    from scheduler.client import store

    with store().read() as session:
        found = evaluations.means(session, job_id)
    if found is None:
        say("no summary could be compared with a reference")
        return
    scores = f"ROUGE-1 {found.rouge_1:.1f}, ROUGE-2 {found.rouge_2:.1f}, ROUGE-L {found.rouge_l:.1f}"
    say(f"{scores} over {found.n_documents:,} documents")


def _stored(path: Path, key_field: str, summary_field: str, collection: str) -> str:
    """The name of the set that now holds the file's references. The same file again is the same set."""
    from db import documents, evaluations
    from scheduler.client import store
    from scheduler.readers import BadRecord, ReadOptions, Record, read

    records = list(read([path], ReadOptions(key_field=key_field, text_field=summary_field)))
    bad = [record for record in records if isinstance(record, BadRecord)]
    for record in bad[:SHOWN]:
        warn(f"  {record}")
    good = [(record.key, record.text) for record in records if isinstance(record, Record)]
    digest = hashlib.sha256(repr(good).encode()).hexdigest()
    name = f"{path.name}@{digest[:12]}"
    with store().write() as session:
        collection_id = documents.collection_id(session, collection)
        n_known = evaluations.add_references(session, name, collection_id, good)
    warn(f"{path.name}: {len(good):,} references, {n_known:,} of documents in {collection}, {len(bad):,} bad")
    if not n_known:
        if good:
            warn(f"docmill: no key of {path.name} is a document's: --key-field says where the keys are")
        else:
            warn(f"docmill: no reference in {path.name}: --summary-field says where they are")
        raise typer.Exit(FAILED)
    return name
