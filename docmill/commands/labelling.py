"""docmill label set, list, remove: labels that people give to documents."""

from __future__ import annotations

from typing import Annotated

import typer

from docmill.commands.options import Format, Key, Limit
from docmill.commands.output import print_json_array, say
from docmill.commands.shell import Commands

app = Commands(help="Labels that people set; they override a model's.")

Where = Annotated[
    str | None,
    typer.Option(
        "--collection", metavar="NAME", help="The document's collection; needed if several have the key."
    ),
]


@app.command(name="set")
def set_(
    key: Key,
    label: Annotated[
        str, typer.Argument(metavar="LABEL", help='The label; \'["a", "b"]\' for several, [] for none.')
    ],
    collection: Where = None,
) -> None:
    """Set the label of a document, in place of a model's.

    It stays when the text of the document changes. It replaces a label that was set before.

    Example: docmill label set report-7 complaint --collection inbox
    """
    from scheduler import labelling
    from scheduler.store import store

    name = labelling.set_label(store(), key, label, collection)
    say(f"{name}: {key} is {label}")


@app.command(name="list")
def list_(
    collection: Annotated[
        str | None, typer.Option("--collection", metavar="NAME", help="Of this collection only.")
    ] = None,
    format: Annotated[
        Format, typer.Option(help="table, csv (safe for spreadsheets) or jsonl.")
    ] = Format.TABLE,
    limit: Limit = None,
    json: Annotated[bool, typer.Option("--json", help="Print all of them as one JSON array.")] = False,
) -> None:
    """List the labels that were set.

    Example: docmill label list --collection inbox
    """
    from itertools import islice

    from db import labels
    from docmill.commands.jobs import TABLE_ROWS, print_rows
    from scheduler.store import store

    most = TABLE_ROWS if format is Format.TABLE and limit is None and not json else limit
    with store().read() as session:
        rows = islice(labels.listing(session, collection), most)
        if json:
            print_json_array(rows)
            return
        print_rows(rows, format, "no label was set yet: docmill label set KEY LABEL")


@app.command()
def remove(key: Key, collection: Where = None) -> None:
    """Remove the label that was set for a document.

    Example: docmill label remove report-7
    """
    from scheduler import labelling
    from scheduler.store import store

    name = labelling.remove_label(store(), key, collection)
    say(f"{name}: the label of {key} is removed")
