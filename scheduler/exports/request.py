"""What is to be exported, how, and where to. A request is checked before anything is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: What --changed-since accepts.
LAST = "LAST"
_PLACEHOLDER = re.compile(r"\{(\w*)\}")


class Format(StrEnum):
    """The format of a file."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    XLSX = "xlsx"


class Mode(StrEnum):
    """What becomes of the rows that the table has already."""

    REPLACE = "replace"
    UPSERT = "upsert"


@dataclass(frozen=True)
class ExportRequest:
    """One export. Either `to` or `to_table` is given."""

    #: A view or table, the number of a job, or a SELECT.
    what: str
    #: A file or folder; {date}, {time} and {name} are filled in.
    to: str | None = None
    #: postgresql://user:password@host/database/table, sqlite:////path/file.db/table, or env:NAME with such a URL.
    to_table: str | None = None
    #: By the file's suffix if not given.
    format: Format | None = None
    #: Of a table: whether its rows are replaced, or updated by key.
    mode: Mode = Mode.REPLACE
    #: The columns that tell rows apart; known for views and jobs.
    key: Sequence[str] = ()
    #: LAST: only what has changed since the last export of this name.
    changed_since: str | None = None
    name: str | None = None
    #: Forget what was exported under this name.
    restart: bool = False
    #: CSV begins with a byte order mark, by which Excel knows UTF-8.
    bom: bool = False
    #: CSV has texts as they are, also those that a spreadsheet would run.
    raw: bool = False
    #: Another of a job's result tables.
    table: str | None = None
    #: The time zone of {date}, and of times in XLSX.
    time_zone: str = "UTC"
    #: How long the query may take.
    seconds: float = 3_600
    #: The manifest of a table, if it is wanted.
    manifest: str | None = None

    @property
    def only_changed(self) -> bool:
        return self.changed_since is not None


def check(request: ExportRequest) -> None:
    """ValueError, with what to write instead."""
    if (request.to is None) == (request.to_table is None):
        raise ValueError("say where to: either --to FILE or --to-table URL")
    if request.changed_since is not None and request.changed_since.upper() != LAST:
        raise ValueError(
            f"--changed-since {request.changed_since!r}: write LAST, which is the last export of the same --name"
        )
    if request.only_changed and not request.name:
        raise ValueError("--changed-since needs --name NAME: what was exported is remembered under it")
    if request.restart and not request.only_changed:
        raise ValueError("--restart belongs to --changed-since LAST")
    if request.to_table is not None and request.format is not None:
        raise ValueError("--format belongs to a file: leave it out with --to-table")
    if request.to is not None and request.mode is not Mode.REPLACE:
        raise ValueError("--mode upsert belongs to --to-table")
    if request.to is not None and format_of(request) is not Format.CSV:
        for name, is_given in (("--bom", request.bom), ("--raw", request.raw)):
            if is_given:
                raise ValueError(f"{name} belongs to --format csv")
    if request.seconds <= 0:
        raise ValueError("--seconds has to be above 0")
    zone(request.time_zone)
    if request.to is not None:
        _check_placeholders(request.to)


def format_of(request: ExportRequest) -> Format:
    """The format that is asked for, or the one of the file's suffix."""
    if request.format is not None:
        return Format(request.format)
    suffix = Path(request.to or "").suffix.lower().removeprefix(".")
    try:
        return Format(suffix)
    except ValueError:
        known = ", ".join(f".{one}" for one in Format)
        raise ValueError(
            f"{request.to}: no format can be seen from this name: add --format, or a suffix ({known})"
        ) from None


def path_of(request: ExportRequest, moment: datetime) -> Path:
    """The file to write, with the placeholders filled in: {date} and {time} in the request's time zone."""
    assert request.to is not None
    local = moment.astimezone(zone(request.time_zone))
    name = request.name or (request.what if re.fullmatch(r"\w+", request.what) else "query")
    values = {"date": f"{local:%Y-%m-%d}", "time": f"{local:%H%M%S}", "name": _file_name(name)}
    filled = _PLACEHOLDER.sub(lambda found: values[found[1]], request.to)
    path = Path(filled)
    return path / f"{values['name']}.{format_of(request)}" if filled.endswith("/") or path.is_dir() else path


def zone(name: str) -> ZoneInfo:
    """A time zone, or ValueError with an example."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}: write one like Asia/Seoul or UTC") from None


def _check_placeholders(to: str) -> None:
    for name in _PLACEHOLDER.findall(to):
        if name not in ("date", "time", "name"):
            raise ValueError(f"{to}: {{{name}}} is unknown: there are {{date}}, {{time}} and {{name}}")


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "export"
