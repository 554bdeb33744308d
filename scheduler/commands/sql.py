"""docmill sql."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler.commands.jobs import Format
from scheduler.commands.output import print_csv, print_jsonl, print_table


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT; the views begin with v_.")],
    format: Annotated[Format, typer.Option(help="table, csv (safe for spreadsheets) or jsonl.")] = Format.TABLE,  # noqa: A002
) -> None:
    """Run a query on the store, whichever database it is, without being able to change anything.

    Example: docmill sql "SELECT document_key, summary FROM v_latest_summary WHERE collection = 'inbox'"
    """
    from sqlalchemy import text

    from scheduler.client import store

    with store().read_only() as session:
        # No colon is a parameter here: the query is run as it was typed.
        found = session.execute(text(query.replace(":", r"\:")))
        if not found.returns_rows:
            raise ValueError("that is no query: write a SELECT")
        columns = tuple(found.keys())
        rows = (dict(row) for row in found.mappings())
        if format is Format.CSV:
            print_csv(rows)
        elif format is Format.JSONL:
            print_jsonl(rows)
        else:
            print_table(rows, columns, "no rows")
