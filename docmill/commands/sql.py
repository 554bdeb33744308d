"""docmill sql: query the store."""

from __future__ import annotations

from typing import Annotated

import typer

from docmill.commands.options import Format
from docmill.commands.output import print_csv, print_json_array, print_jsonl, warn
from docmill.commands.tables import print_table


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT; the views begin with v_.")],
    format: Annotated[
        Format, typer.Option(help="table, csv (safe for spreadsheets) or jsonl.")
    ] = Format.TABLE,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="At most N rows; 0 for all.")] = 10_000,
    json: Annotated[bool, typer.Option("--json", help="Print the rows as one JSON array.")] = False,
) -> None:
    """Run a query on the store, on SQLite or PostgreSQL.

    The query is one SELECT and cannot change anything. It is stopped after DOCMILL_QUERY_SECONDS (60).

    Example: docmill sql "SELECT document_key, summary FROM v_latest_summary WHERE collection = 'inbox'"
    """
    from scheduler import queries
    from scheduler.store import store

    found = queries.run(store(), query, limit or None)
    rows = (dict(zip(found.columns, row, strict=True)) for row in found.rows)
    if json:
        print_json_array(rows)
    elif format is Format.CSV:
        print_csv(rows)
    elif format is Format.JSONL:
        print_jsonl(rows)
    else:
        print_table(rows, found.columns, "no rows")
    if found.is_cut:
        warn(f"these are the first {limit:,} rows; there are more: --limit 0 shows all")
