"""docmill similar: the nearest neighbours of a document."""

from __future__ import annotations

from typing import Annotated

import typer

from docmill.commands.options import Json, Key
from docmill.commands.output import print_json
from docmill.commands.tables import print_table


def similar(
    key: Key,
    collection: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The document's collection; needed if several have the key."),
    ] = None,
    k: Annotated[
        int, typer.Option("-k", "--neighbours", metavar="N", min=1, help="At most N neighbours.")
    ] = 10,
    json: Json = False,
) -> None:
    """Show a document's nearest neighbours and shared words.

    The words are those with the most weight in both documents, from the newest similarity job.

    Example: docmill similar report-17 --collection inbox
    """
    from db import similar as stored
    from scheduler.store import store

    with store().read() as session:
        rows = stored.neighbours(session, key, collection, k)
    if json:
        print_json(rows)
        return
    for row in rows:
        row["shared"] = ", ".join(each["term"] for each in row["terms"])
        row["score"] = f"{row['score']:.3f}"
    columns = ("rank", "neighbour_key", "neighbour_collection", "score", "shared")
    where = f" --collection {collection}" if collection else " --collection NAME"
    print_table(rows, columns, f"no neighbours yet: docmill submit similarity{where}")
