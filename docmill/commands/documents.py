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
    say_bad,
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


def add(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATHS...", help="Files or folders: .txt, .jsonl, .json, .csv, .tsv, .gz of these."
        ),
    ],
    collection: Annotated[
        str, typer.Option(metavar="NAME", help="The collection to add to; created if it does not exist.")
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

    Unchanged documents are skipped; changed ones become a new version. Bad records are listed with file and line, and
    the others are added; the exit status is then 3, or 1 if nothing could be added. The encoding and the delimiter of
    a file are printed if they were detected.

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
    """List the collections with their numbers of documents.

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
    """Add files. Ctrl-C ends it with a message that says what is stored and how to continue."""
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
        "run the same command again to continue; nothing is stored twice"
    )


def report(collection: str, found: Report, tell: Callable[[str], None] = say) -> None:
    """Print the counts, the notices and the bad records."""
    parts = [f"{found.n_new:,} new", f"{found.n_changed:,} changed", f"{found.n_unchanged:,} unchanged"]
    say_notices(found.notices)
    tell(f"{collection}: {', '.join(parts)}" + (f", {len(found.bad):,} bad" if found.bad else ""))
    say_bad(found.bad, "; --json lists them all")
