"""docmill export: the rows of a query as a file, or as a table of another database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from docmill.commands.output import print_json, say, users_umask, warn
from scheduler.exports.request import ExportRequest, Format, Mode

if TYPE_CHECKING:
    from scheduler.exports.manifest import Manifest

#: Seconds between two reports of progress.
TELL_SECONDS = 2.0


def export(
    what: Annotated[
        str,
        typer.Argument(metavar="VIEW|JOB|QUERY", help="A view or table, the number of a job, or one SELECT."),
    ],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="A file, or a folder with --format; {date}, {time} and {name} are filled in. Replaced if it exists.",
        ),
    ] = None,
    to_table: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A table in another database: postgresql://user:password@host/database/table or "
            "sqlite:////path/file.db/table; or env:NAME, a variable that holds the URL.",
        ),
    ] = None,
    format: Annotated[Format | None, typer.Option(help="By the suffix of PATH if not given.")] = None,
    mode: Annotated[
        Mode, typer.Option(help="With --to-table: replace all rows, or update them by key.")
    ] = Mode.REPLACE,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMNS", help="The columns that tell rows apart, with commas; known for views and jobs."
        ),
    ] = None,
    changed_since: Annotated[
        str | None,
        typer.Option(metavar="LAST", help="Only what has changed since the last export of the same --name."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The export's name: fills {name} in.")
    ] = None,
    restart: Annotated[
        bool,
        typer.Option("--restart", help="With --changed-since: forget what was exported, so that all is new."),
    ] = False,
    bom: Annotated[
        bool, typer.Option("--bom", help="CSV: begin with a byte order mark, by which Excel knows UTF-8.")
    ] = False,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="CSV: leave texts as they are that a spreadsheet would run as a formula."),
    ] = False,
    table: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Another of the job's result tables.")
    ] = None,
    tz: Annotated[
        str, typer.Option(metavar="ZONE", help="The time zone of {date} and {time}, and of times in XLSX.")
    ] = "UTC",
    seconds: Annotated[float, typer.Option(metavar="N", help="How long it may take.")] = 3_600,
    manifest: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --to-table: write the manifest there.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the manifest.")] = False,
) -> None:
    """Export a view, the results of a job, or a query.

    A file is CSV, JSON Lines, Parquet or XLSX, and is there whole or not at all. Beside it, PATH.manifest.json says
    what it holds: the query, the number of rows, the SHA-256, the columns. CSV is safe to open in a spreadsheet: texts
    that it would run as a formula begin with an apostrophe. The query cannot change anything.

    Example: docmill export v_latest_label --to "out/labels-{date}.csv" --bom --tz Asia/Seoul
    """
    from scheduler.exports import making
    from scheduler.store import store

    request = ExportRequest(
        what=what, to=to, to_table=to_table, format=format, mode=mode,
        key=tuple(part for part in (key or "").split(",") if part), changed_since=changed_since, name=name,
        restart=restart, bom=bom, raw=raw, table=table, time_zone=tz, seconds=seconds, manifest=manifest,
    )  # fmt: skip
    with users_umask():
        made = making.export(store(), request, _Progress())
    if json:
        from dataclasses import asdict

        print_json(asdict(made))
    else:
        say(_words(made))
    for note in made.notes:
        warn(f"note: {note}")


class _Progress:
    """Reports on stderr from time to time, so that short exports report nothing."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()

    def __call__(self, n_rows: int, n_in_all: int | None) -> None:
        now = time.monotonic()
        if now - self._told < TELL_SECONDS:
            return
        self._told = now
        of_all = f" of {n_in_all:,}" if n_in_all else ""
        warn(f"{n_rows:,}{of_all} rows, {n_rows / (now - self._began):,.0f}/s")


def _words(made: Manifest) -> str:
    said = f"{made.to}: {made.n_rows:,} rows"
    if made.changes is not None:
        said += " (" + ", ".join(f"{count:,} {what}" for what, count in made.changes.items()) + ")"
    return said
