"""Tables for people, as wide as the terminal. If the columns do not fit, a table leaves out columns that are empty in
every row, then those that its command can spare; at last each row becomes a block of lines. In a file or a pipe, each
row is one line with all columns and characters."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from docmill.commands.output import console, say, shown

if TYPE_CHECKING:
    from rich.table import Table

#: A column narrower than this is hard to read, unless its values are short.
READABLE = 16
#: Between two columns.
GAP = 2
#: Columns of numbers, beside those whose names begin with n_.
_NUMBERS = frozenset(
    [
        "job",
        "rank",
        "score",
        "version",
        "priority",
        "done",
        "ok",
        "errors",
        "failed",
        "cancelled",
        "precision",
        "recall",
        "f1",
        "support",
        "threshold",
        "probability",
    ]
)

Rows = Sequence[dict[str, str]]


def print_table(
    rows: Iterable[dict[str, Any]], columns: Sequence[str], empty: str, *, spare: Sequence[str] = ()
) -> None:
    """`empty` is printed if there are no rows; `spare` are the columns that may be left out, in this order."""
    found = [{column: shown(row.get(column)) for column in columns} for row in rows]
    if not found:
        say(empty)
    elif not sys.stdout.isatty():
        _print_lines(found, columns)
    else:
        _print_fitting(found, columns, spare)


def _print_lines(rows: Rows, columns: Sequence[str]) -> None:
    """For grep, awk and files: nothing is wrapped or cut."""
    flat = [{name: value.replace("\n", "\\n") for name, value in row.items()} for row in rows]
    widths = _widths(flat, columns)
    for row in ({name: name for name in columns}, {name: "-" * widths[name] for name in columns}, *flat):
        say((" " * GAP).join(_padded(row[name], widths[name], name) for name in columns).rstrip())


def _padded(value: str, width: int, column: str) -> str:
    from rich.cells import cell_len

    blanks = " " * (width - cell_len(value))
    return blanks + value if _is_number(column) else value + blanks


def _is_number(column: str) -> bool:
    return column.startswith("n_") or column in _NUMBERS


def _print_fitting(rows: Rows, columns: Sequence[str], spare: Sequence[str]) -> None:
    out = console()
    widths = _widths(rows, columns)
    chosen = _chosen(rows, columns, spare, widths, out.width)
    if chosen is None:
        for row in rows:
            out.print(_block(row, columns))
            say("")
    else:
        out.print(_table(rows, chosen, widths))


def _chosen(
    rows: Rows, columns: Sequence[str], spare: Sequence[str], widths: dict[str, int], width: int
) -> list[str] | None:
    """The columns that fit, each wide enough to be read; None if too few would be left."""
    chosen = list(columns)
    empty = [column for column in columns if not any(row[column] for row in rows)]
    for left_out in (None, *empty, *spare):
        if left_out in chosen:
            chosen.remove(left_out)
        if sum(min(widths[column], READABLE) + GAP for column in chosen) - GAP <= width:
            return chosen
    return None


def _widths(rows: Rows, columns: Sequence[str]) -> dict[str, int]:
    from rich.cells import cell_len

    return {
        column: max(cell_len(column), *(cell_len(line) for row in rows for line in row[column].split("\n")))
        for column in columns
    }


def _table(rows: Rows, columns: Sequence[str], widths: dict[str, int]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(
            column,
            justify="right" if _is_number(column) else "left",
            overflow="fold",
            min_width=min(widths[column], READABLE),
        )
    for row in rows:
        table.add_row(*(Text(row[column]) for column in columns))
    return table


def _block(row: dict[str, str], columns: Sequence[str]) -> Table:
    """A row as lines of name and value."""
    from rich.table import Table
    from rich.text import Text

    block = Table.grid(padding=(0, GAP))
    block.add_column(no_wrap=True)
    block.add_column(overflow="fold")
    for column in columns:
        if row[column]:
            block.add_row(Text(column), Text(row[column]))
    return block
