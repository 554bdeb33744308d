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

if TYPE_CHECKING:
    from rich.console import Console

#: DEL, the C1 controls, and the line ends of Unicode.
_CONTROLS = re.compile("[\x7f-\x9f\u2028\u2029]")
#: What the user's umask was before `keep_private`; None in processes that are not the command.
USERS_UMASK: int | None = None
#: Spreadsheets take a cell that starts so for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def survive_any_encoding() -> None:
    """Let characters that the terminal's or the pipe's encoding lacks be printed as \\uXXXX: a name or a text must not
    end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def console(*, stderr: bool = False) -> Console:
    """A rich console that prints data as it is: no markup, no highlighting."""
    from rich.console import Console

    width: int | None
    height: int | None
    if not (sys.stderr if stderr else sys.stdout).isatty():
        # A file or a pipe has no width: one that holds most lines without a fold.
        width, height = 200, 50
    elif stderr:
        # What is drawn there follows the terminal when its size changes.
        width, height = None, None
    else:
        # Asked for here, since rich takes 80 where TERM is dumb.
        width, height = shutil.get_terminal_size()
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=width, height=height)


def say(text: str) -> None:
    """A line for people, on stdout, at once even into a pipe."""
    print(text, flush=True)


def warn(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """One JSON value on one line; times as ISO 8601. Control characters are escaped, also those that JSON
    would leave as they are and a terminal would obey."""
    print(_json(value))


def print_json_array(rows: Iterable[dict[str, Any]]) -> None:
    """The same of many values, one after the other, so that they need not be held at once."""
    separator = "["
    for row in rows:
        print(separator + _json(row), end="")
        separator = ",\n "
    print("[]" if separator == "[" else "]")


def _json(value: Any) -> str:
    # An encoding that lacks characters gets them escaped as JSON does it, which loses nothing.
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
    """Files made in here are for whom the user's umask says, not for the user alone: what is asked for by name."""
    if USERS_UMASK is None:
        yield
        return
    ours = os.umask(USERS_UMASK)
    try:
        yield
    finally:
        os.umask(ours)


def keep_private() -> None:
    """Texts, results and passwords are in the files that docmill makes: nobody else reads them. See users_umask."""
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
