"""docmill similar: the nearest neighbours of a document, or of a text."""

from __future__ import annotations

from typing import Annotated

import typer

from docmill.commands.options import Json, Where
from docmill.commands.output import one_line, print_json, warn
from docmill.commands.tables import print_table


def similar(
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="The document's key.")] = None,
    text: Annotated[
        str | None,
        typer.Option("--text", metavar="TEXT", help="Instead of a document: any text; - reads stdin."),
    ] = None,
    collection: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The document's collection, needed if several have the key; of a text, where to search.",
        ),
    ] = None,
    k: Annotated[
        int, typer.Option("-k", "--neighbours", metavar="N", min=1, max=1000, help="At most N neighbours.")
    ] = 10,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Of a text: NAME, NAME@VERSION; the newest similarity job's if not given."
        ),
    ] = None,
    where: Where = None,
    json: Json = False,
) -> None:
    """Show a document's nearest neighbours and shared words, or the documents nearest to a text.

    The words are those with the most weight in both documents, from the newest similarity job. A text's vector is
    inferred at once and compared with those that similarity jobs stored; this needs the models folder.

    Example: docmill similar report-17 --collection inbox

    Example: docmill similar --text "금리 인상이 수출에 미치는 영향" --collection inbox
    """
    if (key is None) == (text is None):
        raise ValueError(
            'name a document, or give a text: docmill similar KEY, or docmill similar --text "..."'
        )
    if text is not None:
        _near_a_text(text, collection, k, model, where, json=json)
        return
    if model is not None or where is not None:
        raise ValueError(
            "--model and --where are for --text: a document's neighbours are those of its newest job"
        )
    assert key is not None
    _near_a_document(key, collection, k, json=json)


def _near_a_text(
    text: str, collection: str | None, k: int, model: str | None, where: str | None, *, json: bool
) -> None:
    import sys

    from scheduler.search.nearest import NearRequest, nearest
    from scheduler.store import store

    text = sys.stdin.read() if text == "-" else text
    found = nearest(store(), NearRequest(text, collection, model, where, k, every=True))
    rows = [
        {
            "rank": rank,
            "document_key": hit.key,
            "collection": hit.collection,
            "score": hit.score,
            "label": hit.label,
            "beginning": " ".join(hit.text[:200].split())[:60],
        }
        for rank, hit in enumerate(found.hits, 1)
    ]
    if json:
        print_json(rows)
        return
    warn(f"compared by the model {found.model}")
    for row in rows:
        row["score"] = f"{row['score']:.3f}"
        row["beginning"] = one_line(str(row["beginning"]))
    columns = ("rank", "document_key", "collection", "score", "beginning")
    print_table(rows, columns, "no document there has a vector", spare=("collection", "beginning"))


def _near_a_document(key: str, collection: str | None, k: int, *, json: bool) -> None:
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
