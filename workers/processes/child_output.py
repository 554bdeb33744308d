"""Deaths of child processes, found in the log of a service and shown in the terminal of `docmill up`: nobody reads a
log file before something is known to be wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

#: A line of workers.processes.logs; a child's last words have no such beginning, or a level above INFO.
_INFO = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (DEBUG|INFO) ")
_DEATH = re.compile(r" WARNING docmill\.supervision \S+: (.+ ended \(.+)$")
#: At most this much of a last line is shown.
_MOST_CHARS = 300


class Overheard:
    """Follows a log file from its present end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = path.stat().st_size if path.exists() else 0
        self._last_line = ""

    def deaths(self) -> list[str]:
        """The children that ended since the last call, each with the last line that it wrote."""
        found = []
        for line in self._new_lines():
            line = plain(line)
            if death := _DEATH.search(line):
                found.append(f"{death[1]}{said(self._last_line)}")
                self._last_line = ""
            elif line.strip() and not _INFO.match(line):
                self._last_line = line.strip()
        return found

    def _new_lines(self) -> list[str]:
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            whole, _, _ = file.read().rpartition(b"\n")
        if not whole:
            return []
        self._at += len(whole) + 1
        return whole.decode("utf-8", "replace").split("\n")


def plain(line: str) -> str:
    """A line of a log as it would stand there as text; a record as JSON ends with the last line of its exception."""
    if not line.startswith('{"time": '):
        return line
    try:
        record = json.loads(line)
        when = record["time"][:23].replace("T", " ").replace(".", ",")
        words = f"{when} {record['level']} {record['logger']} {record['process']}: {record['message']}"
        exception = record.get("exception", "").strip().splitlines()
    except (ValueError, KeyError, TypeError):
        return line
    return exception[-1] if exception else words


def said(line: str) -> str:
    """A child's last line as the end of a sentence about it; nothing if it said nothing."""
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in line[:_MOST_CHARS])
    return f"; it said: {shown}" if shown else ""
