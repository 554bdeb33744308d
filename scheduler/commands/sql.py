"""docmill sql."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scheduler.commands.options import Format
from scheduler.commands.output import print_csv, print_jsonl, print_table


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT; the views begin with v_.")],
    format: Annotated[
        Format, typer.Option(help="table, csv (safe for spreadsheets) or jsonl.")
    ] = Format.TABLE,
) -> None:
    """Run a query on the store, whichever database it is.

    It can change nothing.

    Example: docmill sql "SELECT document_key, summary FROM v_latest_summary WHERE collection = 'inbox'"
    """
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    from db.store import is_infrastructure_error
    from scheduler.client import store

    with store().read_only() as session:
        try:
            # No colon is a parameter here: the query is run as it was typed.
            found: Any = session.execute(text(query.replace(":", r"\:")))
        except DBAPIError as error:
            if is_infrastructure_error(error) and not store().is_sqlite:
                raise
            raise ValueError(f"the query: {str(error.orig).splitlines()[0]}") from None
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
