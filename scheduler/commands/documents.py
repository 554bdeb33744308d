"""docmill add, docmill collections."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.commands.options import Json
from scheduler.commands.output import print_json, print_table, say, warn
from scheduler.commands.shell import FAILED, SOME_BAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from db.documents import Added, NewDocument
    from scheduler.readers import BadRecord, ReadOptions

#: So many bad records are shown; the rest is counted.
SHOWN = 20


def add(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATHS...", help="Files or folders: .txt, .jsonl, .csv, .tsv, .gz of these."),
    ],
    collection: Annotated[
        str, typer.Option(metavar="NAME", help="The collection to add to; made if it is not there.")
    ],
    encoding: Annotated[
        str,
        typer.Option(metavar="NAME", help="Of text files: utf-8, cp949 (also EUC-KR), utf-16, cp1252, ..."),
    ] = "utf-8",
    key_field: Annotated[
        str, typer.Option(metavar="NAME", help="Field or column with the document's key.")
    ] = "id",
    text_field: Annotated[str, typer.Option(metavar="NAME", help="Field or column with the text.")] = "text",
    label_field: Annotated[
        str, typer.Option(metavar="NAME", help="Field or column with the label, if there is one.")
    ] = "label",
    delimiter: Annotated[
        str | None,
        typer.Option(metavar="CHAR", help="Between the columns of .csv files; a comma if not given."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the counts and the bad records as JSON.")
    ] = False,
) -> None:
    """Add documents to a collection.

    Unchanged ones are skipped, changed ones become a new version. A bad record is listed by file and line,
    costs only itself, and makes the exit status 3; when nothing at all could be read it is 1.

    Example: docmill add filings/ reviews.jsonl --collection inbox
    """
    from scheduler.readers import ReadOptions

    options = ReadOptions(
        encoding=encoding,
        key_field=key_field,
        text_field=text_field,
        label_field=label_field,
        delimiter=delimiter,
    )
    added, bad = _store_all(paths, collection, options, quiet=json)
    if json:
        counts = {"new": added.n_new, "changed": added.n_changed, "unchanged": added.n_unchanged}
        bad_rows = [
            {"source": b.source, "line": b.line, "key": b.key, "code": b.code, "detail": b.detail}
            for b in bad
        ]
        print_json({"collection": collection, **counts, "bad": bad_rows})
    else:
        _report(collection, added, bad)
    if bad:
        n_good = added.n_new + added.n_changed + added.n_unchanged
        raise typer.Exit(SOME_BAD if n_good else FAILED)


def collections(
    json: Json = False,
) -> None:
    """List the collections and how many documents each has.

    Example: docmill collections
    """
    from db import documents
    from scheduler.client import store

    with store().read() as session:
        rows = [{"collection": name, "n_documents": n} for name, n in documents.collections(session)]
    if json:
        print_json(rows)
    else:
        print_table(
            rows, ("collection", "n_documents"), "no collections yet: docmill add PATHS --collection NAME"
        )


def _store_all(
    paths: list[Path], collection: str, options: ReadOptions, *, quiet: bool
) -> tuple[Added, list[BadRecord]]:
    """Read, and store batch by batch; each batch is a transaction, so an interrupted add loses nothing it
    counted, and running it again goes on where it stopped."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from db import documents
    from db.documents import Added
    from scheduler.client import store
    from scheduler.commands.output import console

    check_collection_name(collection)
    with store().write() as session:
        collection_id = documents.collection_id(session, collection, create=True)
    added = Added()
    bad: list[BadRecord] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True, disable=quiet) as progress:
        bar = progress.add_task("reading", total=None)
        for batch in documents.batches(_good(paths, options, bad)):
            added += _store(collection_id, batch)
            n = added.n_new + added.n_changed + added.n_unchanged
            progress.update(bar, description=f"{n:,} documents, {len(bad)} bad")
    return added, bad


def _good(paths: list[Path], options: ReadOptions, bad: list[BadRecord]) -> Iterator[NewDocument]:
    from db.documents import NewDocument
    from scheduler.readers import Record, read

    for record in read(paths, options):
        if isinstance(record, Record):
            yield NewDocument(record.key, record.text, record.label, record.source)
        else:
            bad.append(record)


def _store(collection_id: int, batch: list[NewDocument]) -> Added:
    """One transaction. When another `add` stored one of these keys in between, look again once."""
    from sqlalchemy.exc import IntegrityError

    from db import documents
    from scheduler.client import store

    try:
        with store().write() as session:
            return documents.add(session, collection_id, batch)
    except IntegrityError:
        with store().write() as session:
            return documents.add(session, collection_id, batch)


def check_collection_name(name: str) -> None:
    """Refuse names that nobody could type again."""
    if not name or name != name.strip() or not name.isprintable() or len(name) > 100:
        raise ValueError(f"{name!r} is no name for a collection: use up to 100 printable characters")


def _report(collection: str, added: Added, bad: list[BadRecord]) -> None:
    parts = [f"{added.n_new:,} new", f"{added.n_changed:,} changed", f"{added.n_unchanged:,} unchanged"]
    say(f"{collection}: {', '.join(parts)}" + (f", {len(bad):,} bad" if bad else ""))
    for record in bad[:SHOWN]:
        warn(f"  {record}")
    if len(bad) > SHOWN:
        warn(f"  and {len(bad) - SHOWN:,} more; --json lists them all")
