"""docmill submit, train, retry: the commands that make a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from db.errors import NothingToDoError
from docmill.commands.documents import add_showing_progress
from docmill.commands.documents import report as report_added
from docmill.commands.file_options import Delimiter, Encoding, read_options, say_bad, say_notices
from docmill.commands.following import follow
from docmill.commands.options import (
    After,
    Collection,
    Collections,
    Exclusive,
    JobId,
    Json,
    Parameters,
    Priority,
    SubmitKey,
    Submitter,
    Unique,
    Wait,
    Where,
    model_or_folder,
    parse,
)
from docmill.commands.output import print_json, say, warn
from docmill.commands.shell import FAILED

if TYPE_CHECKING:
    from db.jobs import Submitted
    from readers import ReadOptions
    from scheduler.requests import JobRequest


def submit(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="What to do with each document; `docmill kinds` lists the kinds."
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
            help="Only documents that no job like this one has done or still has to do, and none in quarantine; and "
            "those whose result names a document that has changed since.",
        ),
    ] = False,
    where: Where = None,
    unique: Unique = False,
    exclusive: Exclusive = False,
    submitter: Submitter = None,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Submit a job over a collection; print its number and size.

    If there is no document to process, no job is made, and the exit status is 0. With --wait it is 0 if every
    document succeeded, 3 if some failed, 4 if the job was cancelled.

    Example: docmill submit summarize --collection inbox -p sentences=2 --wait
    """
    from scheduler.requests import JobRequest

    model, parameters = model_or_folder(model, parse(parameter, kind), kind)
    request = JobRequest(
        kind, collection, model, parameters, priority, key, after, only_new=new, where=where,
        submitter=submitter, exclusive=exclusive, unique=unique,
    )  # fmt: skip
    try:
        submitted = _submit(request)
    except NothingToDoError as error:
        report_nothing(error, request.kind, json=json)
    else:
        report(submitted, request.kind, wait=wait, json=json)


def train(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="What to train; `docmill kinds` lists them as train-KIND.")
    ],
    collection: Collections,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model's name; the collection's if not given.")
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="For `summarizer`: first add the documents of this file, with their summaries as labels.",
        ),
    ] = None,
    parameter: Parameters = None,
    corrections: Annotated[
        bool,
        typer.Option(
            "--corrections/--no-corrections",
            help="For a classifier: learn the labels that were given in the collections where the model is used, too.",
        ),
    ] = True,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="First set the labels of a file with the fields key and label."),
    ] = None,
    labels_sql: Annotated[
        str | None, typer.Option(metavar="QUERY", help="First set the labels from a SELECT of key and label.")
    ] = None,
    key_field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Field with the key; if not given, key in --labels, id in --pairs."
        ),
    ] = None,
    label_field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Field with the label; if not given, label in --labels, summary in --pairs."
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
    where: Where = None,
    unique: Unique = False,
    exclusive: Exclusive = False,
    submitter: Submitter = None,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Train a model on the documents of a collection, or of several.

    The new version becomes the model's champion if there is none, or if it passes its gate. Exit statuses are those
    of submit. Labels that are given here are stored as by `docmill label set`: they override the labels that came with
    the documents, and go to the first collection.

    A classifier also learns the labels that were given (`docmill label set`) in the collections that the model has
    labelled. They are counted in the answer, and so are those left out, with the reason. If two documents have the same
    text, one is used, with the label that was given.

    Example: docmill train classify --collection reviews --model sentiment --wait
    """
    from scheduler.requests import JobRequest

    common = {"encoding": encoding, "delimiter": delimiter}
    for_labels = read_options(**common, key_field=key_field or "key", label_field=label_field)
    _give_labels(labels, labels_sql, collection[0], for_labels)
    name = f"train-{kind.removeprefix('train-')}"
    if pairs is not None:
        options = read_options(
            **common,
            key_field=key_field,
            label_field=label_field or _pairs_field(name),
            text_field=text_field,
            txt_tables="always",
        )
        _add_pairs(pairs, collection[0], options)
    request = JobRequest(
        name, collection[0], model, parse(parameter, name), priority, key, after,
        also=collection[1:], corrections=corrections, where=where,
        submitter=submitter, exclusive=exclusive, unique=unique,
    )  # fmt: skip
    report(_submit(request), request.kind, wait=wait, json=json)


def _pairs_field(kind: str) -> str:
    """The field of --pairs that becomes the label. ValueError for a kind that is not trained on pairs."""
    from workers.kinds import all_kinds, find

    field = find(kind).pairs_field
    if not field:
        able = ", ".join(name.removeprefix("train-") for name, one in all_kinds().items() if one.pairs_field)
        raise ValueError(f"--pairs is for training {able}, not for {kind}")
    return field


def _add_pairs(path: Path, collection: str, options: ReadOptions) -> None:
    """Add documents with their labels before training on them; messages go to stderr."""
    from scheduler.sources import Source

    found = add_showing_progress(Source((path,)), collection, options, only_records=True)
    report_added(collection, found, warn)
    if not found.n_good:
        raise typer.Exit(FAILED)


def retry(
    job: JobId,
    where: Where = None,
    submitter: Submitter = None,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Submit a new job over the documents that failed in a job.

    It processes their latest versions. The selection that the job was submitted with is evaluated anew, and --where
    narrows it. If none failed, no job is made. Exit statuses are those of submit.

    Example: docmill retry 42 --wait
    """
    from db import progress
    from scheduler import requests
    from scheduler.store import store
    from workers import tracing

    tracing.start("docmill")
    with store().read() as session:
        kind = progress.of(session, job).kind
    try:
        with store().write() as session:
            submitted = requests.retry(session, job, where=where, submitter=submitter)
    except NothingToDoError as error:
        report_nothing(error, kind, json=json)
    else:
        report(submitted, kind, wait=wait, json=json)


def report(submitted: Submitted, kind: str, *, wait: bool, json: bool) -> None:
    """Print the job; with `wait`, follow it and exit with its status. As JSON it is one value."""
    from dataclasses import asdict

    facts: dict[str, Any] = {
        "job": submitted.job_id,
        "kind": kind,
        "n_documents": submitted.n_documents,
        "created": submitted.created,
    }
    if submitted.left_out is not None:
        facts["left_out"] = asdict(submitted.left_out)
    # The number is always printed first: a user who interrupts --wait needs it.
    tell = warn if json else say
    n = submitted.n_documents
    over = f"{kind} over {n:,} {'document' if n == 1 else 'documents'}"
    if submitted.left_out is not None and (words := submitted.left_out.words):
        over += f"; left out: {words}"
    if submitted.corrections is not None:
        facts["corrections"] = submitted.corrections.as_json()
        over += f"; {words}" if (words := submitted.corrections.words) else ""
    job = f"job {submitted.job_id}"
    before = "does the same and has not ended" if submitted.does_the_same else "has this key already"
    tell(f"{job}: {over}" if submitted.created else f"{job} {before}: {over}")
    if wait:
        raise typer.Exit(follow(submitted.job_id, facts if json else None))
    if json:
        print_json(facts)


def _give_labels(file: Path | None, query: str | None, collection: str, options: ReadOptions) -> None:
    """Store the labels of a file and of a query. Bad ones are listed; it is an error if none is good."""
    from scheduler import labelling
    from scheduler.store import store

    found = [labelling.from_file(store(), file, collection, options)] if file is not None else []
    found += [labelling.from_query(store(), query, collection)] if query is not None else []
    for given in found:
        say_notices(given.notices)
        warn(
            f"the labels of {given.n_given:,} documents were set"
            + (f", {len(given.bad):,} bad" if given.bad else "")
        )
        say_bad(given.bad)
        if not given.n_given:
            raise ValueError("no label was set, so nothing is trained: fix the file or the query")


def report_nothing(error: NothingToDoError, kind: str, *, json: bool) -> None:
    """Print why no job was made. As JSON, its number is null."""
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
    from workers import tracing

    tracing.start("docmill")
    with store().write() as session:
        return requests.submit(session, request)
