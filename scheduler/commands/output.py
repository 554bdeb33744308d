"""How commands print: tables for people, JSON and CSV for programs, errors on stderr."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

#: DEL, the C1 controls, and the line ends of Unicode.
_CONTROLS = re.compile("[\x7f-\x9f\u2028\u2029]")
#: Spreadsheets take a cell that starts so for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def console(*, stderr: bool = False) -> Console:
    """A rich console that prints data as it is: no markup, no highlighting."""
    from rich.console import Console

    # A file or a pipe has no width: one that holds most tables without a fold.
    width = None if (sys.stderr if stderr else sys.stdout).isatty() else 200
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=width)


def say(text: str) -> None:
    """A line for people, on stdout, at once even into a pipe."""
    print(text, flush=True)


def warn(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """One JSON value on one line; times as ISO 8601. Control characters are escaped, also those that JSON
    would leave as they are and a terminal would obey."""
    text = json.dumps(value, ensure_ascii=False, default=_plain)
    print(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def print_table(rows: Iterable[dict[str, Any]], columns: Sequence[str], empty: str) -> None:
    """A table; `empty` is what is said when there are no rows. Long texts are wrapped."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        right = column.startswith("n_") or column in (
            "job",
            "rank",
            "score",
            "version",
            "priority",
            "done",
            "ok",
            "errors",
            "precision",
            "recall",
            "f1",
            "support",
            "threshold",
        )
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(row.get(column))) for column in columns))
    if table.row_count:
        console().print(table)
    else:
        say(empty)


def print_csv(rows: Iterable[dict[str, Any]]) -> None:
    """CSV with a header. Cells that a spreadsheet would run as a formula get a leading apostrophe."""
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(sys.stdout, fieldnames=list(row))
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in row.items()})


def print_jsonl(rows: Iterable[dict[str, Any]]) -> None:
    """One JSON object a line."""
    for row in rows:
        print_json(row)


def shown(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in str(value))


def one_line(text: str) -> str:
    """A text that may have several lines, as a person reads it in one."""
    return shown(" ".join(text.split()))


def duration(seconds: float) -> str:
    """ "1 h 02 min", "3 min 20 s", "4.2 s" """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        # What PostgreSQL answers to SUM and AVG.
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
