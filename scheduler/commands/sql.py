"""docmill sql."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler.commands.options import Format
from scheduler.commands.output import print_csv, print_jsonl
from scheduler.commands.tables import print_table


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
    from scheduler.column_hints import naming_columns
    from scheduler.queries import rows_of

    with naming_columns(query), rows_of(query) as (columns, found):
        rows = (dict(zip(columns, row, strict=True)) for row in found)
        if format is Format.CSV:
            print_csv(rows)
        elif format is Format.JSONL:
            print_jsonl(rows)
        else:
            print_table(rows, columns, "no rows")
