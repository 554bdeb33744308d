"""docmill add, docmill collections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docmill.commands.about import telling_of_a_new_store
from docmill.commands.file_options import (
    Delimiter,
    Encoding,
    KeyField,
    LabelField,
    TextField,
    read_options,
    say_notices,
)
from docmill.commands.options import Json
from docmill.commands.output import console, print_json, say, warn
from docmill.commands.shell import FAILED, INTERRUPTED, SOME_BAD
from docmill.commands.tables import print_table

if TYPE_CHECKING:
    from db.documents import Added
    from readers import ReadOptions
    from scheduler.adding import Report

#: So many bad records are shown; the rest is counted.
SHOWN = 20


def add(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATHS...", help="Files or folders: .txt, .jsonl, .json, .csv, .tsv, .gz of these."
        ),
    ],
    collection: Annotated[
        str, typer.Option(metavar="NAME", help="The collection to add to; made if it is not there.")
    ],
    encoding: Encoding = None,
    key_field: KeyField = None,
    text_field: TextField = None,
    label_field: LabelField = None,
    delimiter: Delimiter = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the counts and the bad records as JSON.")
    ] = False,
) -> None:
    """Add documents to a collection.

    Unchanged ones are skipped, changed ones become a new version. A bad record is listed by file and line,
    costs only itself, and makes the exit status 3; when nothing at all could be read it is 1. How a file was read is
    said where its name does not tell: the encoding and the delimiter that were found.

    Example: docmill add filings/ reviews.jsonl --collection inbox
    """
    options = read_options(
        encoding=encoding,
        key_field=key_field,
        text_field=text_field,
        label_field=label_field,
        delimiter=delimiter,
    )
    found = add_showing_progress(paths, collection, options, quiet=json)
    if json:
        counts = {"new": found.n_new, "changed": found.n_changed, "unchanged": found.n_unchanged}
        bad = [asdict(record) for record in found.bad]
        notices = [asdict(notice) for notice in found.notices]
        print_json({"collection": collection, **counts, "bad": bad, "notices": notices})
    else:
        report(collection, found)
    if found.bad:
        raise typer.Exit(SOME_BAD if found.n_good else FAILED)


def collections(
    json: Json = False,
) -> None:
    """List the collections and how many documents each has.

    Example: docmill collections
    """
    from db import documents
    from scheduler.store import store

    with store().read() as session:
        rows = [{"collection": name, "n_documents": n} for name, n in documents.collections(session)]
    if json:
        print_json(rows)
    else:
        print_table(
            rows, ("collection", "n_documents"), "no collections yet: docmill add PATHS --collection NAME"
        )


def add_showing_progress(
    paths: list[Path], collection: str, options: ReadOptions, *, quiet: bool = False
) -> Report:
    """Add files. Ctrl-C ends it with what is stored and how to go on."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from db.documents import Added
    from scheduler import adding
    from scheduler.store import make_store

    stored = Added()

    def tell(so_far: Added, n_bad: int) -> None:
        nonlocal stored
        stored = so_far
        progress.update(bar, description=f"{stored.n_good:,} documents, {n_bad:,} bad")

    out = console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True, disable=quiet or not out.is_terminal) as progress:
        bar = progress.add_task("reading", total=None)
        try:
            with telling_of_a_new_store():
                return adding.add(make_store, *paths, collection=collection, options=options, tell=tell)
        except KeyboardInterrupt:
            progress.stop()
            warn(_interrupted(collection, stored))
            raise typer.Exit(INTERRUPTED) from None


def _interrupted(collection: str, stored: Added) -> str:
    return (
        f"docmill: interrupted: {stored.n_good:,} documents of these files are in {collection} "
        f"({stored.n_new:,} new, {stored.n_changed:,} changed, {stored.n_unchanged:,} unchanged); "
        "the same command again goes on, and stores nothing twice"
    )


def report(collection: str, found: Report, tell: Callable[[str], None] = say) -> None:
    """Say what became of the files, and which records are bad."""
    parts = [f"{found.n_new:,} new", f"{found.n_changed:,} changed", f"{found.n_unchanged:,} unchanged"]
    say_notices(found.notices)
    tell(f"{collection}: {', '.join(parts)}" + (f", {len(found.bad):,} bad" if found.bad else ""))
    # What is about a whole file comes first: that its rest was not read must not be among the "more".
    for record in sorted(found.bad, key=lambda record: record.line is not None)[:SHOWN]:
        warn(f"  {record}")
    if len(found.bad) > SHOWN:
        warn(f"  and {len(found.bad) - SHOWN:,} more; --json lists them all")
