"""How commands print: tables for people, JSON and CSV for programs, errors on stderr."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from scheduler.cells import safe

if TYPE_CHECKING:
    from rich.console import Console

#: DEL, the C1 controls, and the line ends of Unicode.
_CONTROLS = re.compile("[\x7f-\x9f\u2028\u2029]")
#: What the user's umask was before `keep_private`; None in processes that are not the command.
USERS_UMASK: int | None = None


def survive_any_encoding() -> None:
    """Print characters that the encoding of the terminal or pipe lacks as \\uXXXX, so that no text ends a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def console(*, stderr: bool = False) -> Console:
    """A rich console that prints data as it is: no markup, no highlighting."""
    from rich.console import Console

    width: int | None
    height: int | None
    if not (sys.stderr if stderr else sys.stdout).isatty():
        # A file or a pipe has no width: this one fits most lines without wrapping.
        width, height = 200, 50
    elif stderr:
        # Follows the terminal when its size changes.
        width, height = None, None
    else:
        # Set here, since rich uses 80 if TERM is dumb.
        width, height = shutil.get_terminal_size()
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=width, height=height)


def say(text: str) -> None:
    """Print a line for people on stdout, at once even into a pipe."""
    print(text, flush=True)


def warn(text: str) -> None:
    """Print a line for people on stderr."""
    print(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print one JSON value on one line; times as ISO 8601. Control characters are escaped, also those that JSON
    allows and a terminal would execute."""
    print(_json(value))


def print_json_array(rows: Iterable[dict[str, Any]]) -> None:
    """Print a JSON array of many values without holding all of them in memory."""
    separator = "["
    for row in rows:
        print(separator + _json(row), end="")
        separator = ",\n "
    print("[]" if separator == "[" else "]")


def _json(value: Any) -> str:
    # Characters that the encoding lacks are escaped as in JSON, which loses nothing.
    in_ascii = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(value, ensure_ascii=in_ascii, default=_plain)
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


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


@contextmanager
def users_umask() -> Iterator[None]:
    """Files created inside have the permissions of the user's umask: the user asked for them by name."""
    if USERS_UMASK is None:
        yield
        return
    ours = os.umask(USERS_UMASK)
    try:
        yield
    finally:
        os.umask(ours)


def keep_private() -> None:
    """Files that docmill creates hold texts, results and passwords: only the user may read them. See users_umask."""
    global USERS_UMASK
    USERS_UMASK = os.umask(0o077)


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
    """A text of several lines as one line."""
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
    return safe(value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        # The type of SUM and AVG in PostgreSQL.
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
