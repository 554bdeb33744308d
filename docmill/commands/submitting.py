"""docmill submit, train, retry: whatever makes a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from db.errors import NothingToDoError
from docmill.commands.documents import add_showing_progress
from docmill.commands.documents import report as report_added
from docmill.commands.file_options import Delimiter, Encoding, read_options, say_notices
from docmill.commands.following import follow
from docmill.commands.options import (
    After,
    Collection,
    JobId,
    Json,
    Parameters,
    Priority,
    SubmitKey,
    Wait,
    parse,
)
from docmill.commands.output import print_json, say, warn
from docmill.commands.shell import FAILED

if TYPE_CHECKING:
    from db.jobs import Submitted
    from readers import ReadOptions
    from scheduler.requests import JobRequest

#: So many bad labels are shown; the rest is counted.
SHOWN = 20


def submit(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="summarize, keywords, classify, similarity; `docmill kinds` lists them all."
        ),
    ],
    collection: Collection,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME[@VERSION]", help="The model; its champion if no version is given."),
    ] = None,
    parameter: Parameters = None,
    priority: Priority = 5,
    key: SubmitKey = None,
    after: After = None,
    new: Annotated[
        bool,
        typer.Option(
            "--new",
            help="Only documents that no job like this one gave a result or still has to do, less those in quarantine.",
        ),
    ] = False,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Submit a job over a collection; say its number and size.

    When there is no document to take, no job is made, and the exit status is 0. With --wait it is 0 when every
    document succeeded, 3 when some failed, 4 when the job was cancelled.

    Example: docmill submit summarize --collection inbox -p sentences=2 --wait
    """
    from scheduler.requests import JobRequest

    request = JobRequest(kind, collection, model, parse(parameter), priority, key, after, only_new=new)
    try:
        submitted = _submit(request)
    except NothingToDoError as error:
        report_nothing(error, request.kind, json=json)
    else:
        report(submitted, request.kind, wait=wait, json=json)


def train(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="What the model is for: classify, similarity or summarizer.")
    ],
    collection: Collection,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model's name; the collection's if not given.")
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="For summarizer: first add the documents of this file; its field summary is the document's label.",
        ),
    ] = None,
    parameter: Parameters = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="First give documents the labels of a file with the fields key and label."
        ),
    ] = None,
    labels_sql: Annotated[
        str | None, typer.Option(metavar="QUERY", help="The same from a SELECT of key and label.")
    ] = None,
    key_field: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Field with the key: key in --labels, id in --pairs if not given."),
    ] = None,
    label_field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Field with the label: label in --labels, summary in --pairs if not given."
        ),
    ] = None,
    text_field: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Field of --pairs with the text; text if not given."),
    ] = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    priority: Priority = 5,
    key: SubmitKey = None,
    after: After = None,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Train a model on the documents of a collection.

    The new version becomes the model's champion if there is none, or if its gate lets it pass.
    Exit statuses are those of submit. Labels that are given here are kept, as those of `docmill label set` are, and go
    before those that came with the documents.

    Example: docmill train classify --collection reviews --model sentiment --wait
    """
    from scheduler.requests import JobRequest

    common = {"encoding": encoding, "delimiter": delimiter}
    for_labels = read_options(**common, key_field=key_field or "key", label_field=label_field)
    _give_labels(labels, labels_sql, collection, for_labels)
    name = f"train-{kind.removeprefix('train-')}"
    if pairs is not None:
        options = read_options(
            **common,
            key_field=key_field,
            label_field=label_field or "summary",
            text_field=text_field,
            txt_tables="always",
        )
        _add_pairs(pairs, collection, name, options)
    request = JobRequest(name, collection, model, parse(parameter), priority, key, after)
    report(_submit(request), request.kind, wait=wait, json=json)


def _add_pairs(path: Path, collection: str, kind: str, options: ReadOptions) -> None:
    """Documents with their summaries as labels, before they are trained on; what is said goes to stderr."""
    if kind != "train-summarizer":
        raise ValueError(f"--pairs is for training a summarizer, not for {kind}")
    found = add_showing_progress([path], collection, options)
    report_added(collection, found, warn)
    if not found.n_good:
        raise typer.Exit(FAILED)


def retry(job: JobId, wait: Wait = False, json: Json = False) -> None:
    """Submit a new job over what failed in a job.

    It takes the failed documents' latest versions. If none failed, no job is made. Exit statuses are those of submit.

    Example: docmill retry 42 --wait
    """
    from db import progress
    from scheduler import requests
    from scheduler.store import store

    with store().read() as session:
        kind = progress.of(session, job).kind
    try:
        with store().write() as session:
            submitted = requests.retry(session, job)
    except NothingToDoError as error:
        report_nothing(error, kind, json=json)
    else:
        report(submitted, kind, wait=wait, json=json)


def report(submitted: Submitted, kind: str, *, wait: bool, json: bool) -> None:
    """Say which job it is; with `wait`, follow it and leave with its exit status. As JSON it is one value."""
    from dataclasses import asdict

    facts: dict[str, Any] = {
        "job": submitted.job_id,
        "kind": kind,
        "n_documents": submitted.n_documents,
        "created": submitted.created,
    }
    if submitted.left_out is not None:
        facts["left_out"] = asdict(submitted.left_out)
    # The number comes first in any case: whoever interrupts a --wait has to know it.
    tell = warn if json else say
    n = submitted.n_documents
    over = f"{kind} over {n:,} {'document' if n == 1 else 'documents'}"
    if submitted.left_out is not None and (words := submitted.left_out.words):
        over += f"; left out: {words}"
    job = f"job {submitted.job_id}"
    tell(f"{job}: {over}" if submitted.created else f"{job} has this key already: {over}")
    if wait:
        raise typer.Exit(follow(submitted.job_id, facts if json else None))
    if json:
        print_json(facts)


def _give_labels(file: Path | None, query: str | None, collection: str, options: ReadOptions) -> None:
    """Store the labels of a file and of a query. What is bad is told; nothing good at all is an error."""
    from scheduler import labelling
    from scheduler.store import store

    found = [labelling.from_file(store(), file, collection, options)] if file is not None else []
    found += [labelling.from_query(store(), query, collection)] if query is not None else []
    for given in found:
        say_notices(given.notices)
        warn(
            f"{given.n_given:,} documents were given labels"
            + (f", {len(given.bad):,} bad" if given.bad else "")
        )
        for record in given.bad[:SHOWN]:
            warn(f"  {record}")
        if len(given.bad) > SHOWN:
            warn(f"  and {len(given.bad) - SHOWN:,} more")
        if not given.n_given:
            raise ValueError("no label was given, so nothing is trained: mend the file or the query")


def report_nothing(error: NothingToDoError, kind: str, *, json: bool) -> None:
    """Say why no job was made. As JSON, its number is null."""
    from dataclasses import asdict

    if not json:
        say(str(error))
        return
    warn(str(error))
    facts: dict[str, Any] = {"job": None, "kind": kind, "n_documents": 0, "created": False}
    print_json(facts | ({"left_out": asdict(error.left_out)} if error.left_out is not None else {}))


def _submit(request: JobRequest) -> Submitted:
    from scheduler import requests
    from scheduler.store import store

    with store().write() as session:
        return requests.submit(session, request)
