"""docmill add."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands.about import telling_of_a_new_store
from docmill.commands.file_options import (
    AddTo,
    Delimiter,
    Encoding,
    ExtractParameter,
    KeyField,
    LabelField,
    Markup,
    MetaFields,
    NoMeta,
    TextField,
    meta_choice,
    read_options,
    say_bad,
    say_notices,
)
from docmill.commands.options import parse
from docmill.commands.output import print_json, say, warn
from docmill.commands.shell import FAILED, INTERRUPTED, SOME_BAD

if TYPE_CHECKING:
    from db.documents import Added
    from readers import ReadOptions
    from scheduler.adding import Report
    from scheduler.sources import Source


def add(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATHS",
            help="Files, folders, patterns such as 'in/**/*.{pdf,txt}', URLs of storage, or - for stdin.",
        ),
    ] = None,
    *,
    collection: AddTo,
    sql: Annotated[
        str | None,
        typer.Option(
            metavar="QUERY", help="Instead of files: the rows of a SELECT with the columns id, text, label."
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="For --sql: postgresql://..., sqlite:////path, or env:NAME, which holds the URL.",
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of stdin: jsonl, json, csv, tsv, txt or parquet; else detected."),
    ] = None,
    markup: Markup = None,
    encoding: Encoding = None,
    key_field: KeyField = None,
    text_field: TextField = None,
    label_field: LabelField = None,
    delimiter: Delimiter = None,
    meta: MetaFields = None,
    no_meta: NoMeta = False,
    parameter: ExtractParameter = None,
    extract_again: Annotated[
        bool,
        typer.Option(
            "--extract-again",
            help="Extract those of the files again that failed, or that an older extractor has read.",
        ),
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Show progress until the files are extracted; Ctrl-C stops only the watching."
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the counts and the bad records as JSON.")
    ] = False,
) -> None:
    """Add documents to a collection.

    Texts (.txt), JSON (.json, .jsonl) and tables (.csv, .tsv), also with .gz, and Parquet and Arrow files are read at
    once. PDF, HWP, office files, web pages, mails and archives are registered, and workers make documents of them: an
    extract job is submitted over those that were not extracted before.
    Unchanged documents are skipped; changed ones become a new version. The other fields of a record, and what is known
    of a file (path, size, pages, ...), are kept as metadata; where only that has changed, it is replaced, and results
    stand. Bad records are listed with file and line, and
    the others are added; the exit status is then 3, or 1 if nothing could be added. The encoding and the delimiter of
    a file are printed if they were detected.
    URLs (s3://, gs://, az://, https://) are read only if DOCMILL_REMOTE_FILES allows them.

    Example: docmill add filings/ reviews.jsonl --collection inbox

    Example: docmill add --sql "SELECT id, body AS text FROM news" --database env:NEWS_URL --collection news
    """
    options = read_options(
        encoding=encoding,
        key_field=key_field,
        text_field=text_field,
        label_field=label_field,
        delimiter=delimiter,
        markup=markup,
        meta=meta_choice(meta, none=no_meta),
    )
    from docmill.commands.adding_files import follow_extraction, report_files
    from scheduler.files import KIND

    extract = {"extract": parse(parameter, KIND), "extract_again": extract_again}
    source = _source(paths or [], sql, database, format)
    found = add_showing_progress(source, collection, options, quiet=json, **extract)
    if json and not (wait and (found.files.job or found.files.planned_in)):
        print_json(_as_json(collection, found))
    elif not json:
        report(collection, found)
        report_files(found.files)
    status = follow_extraction(found.files, _as_json(collection, found) if json else None) if wait else 0
    if found.bad:
        raise typer.Exit(SOME_BAD if found.n_good else FAILED)
    raise typer.Exit(status)


def _source(paths: list[str], sql: str | None, database: str | None, format_: str | None) -> Source:
    from scheduler.sources import Source

    if not paths and sql is None:
        raise ValueError(
            "say what to add: files, folders, a pattern, - for stdin, or --sql QUERY --database URL"
        )
    if paths and sql is not None:
        raise ValueError("--sql is instead of files: run docmill add twice")
    if (sql is None) != (database is None):
        raise ValueError(
            "--sql and --database belong together, as in --sql 'SELECT ...' --database env:NEWS_URL"
        )
    if paths.count("-") and sys.stdin.isatty():
        warn("reading documents from the terminal: end with Ctrl-D")
    return Source(
        tuple(paths),
        stdin=sys.stdin.buffer if "-" in paths else None,
        format=format_,
        sql=sql,
        database=database,
    )


def _as_json(collection: str, found: Report) -> dict[str, Any]:
    counts = {"new": found.n_new, "changed": found.n_changed, "unchanged": found.n_unchanged}
    counts["metadata_changed"] = found.n_meta_changed
    return {
        "collection": collection,
        **counts,
        "files": asdict(found.files),
        "bad": [asdict(record) for record in found.bad],
        "notices": [asdict(notice) for notice in found.notices],
    }


def add_showing_progress(
    source: Source, collection: str, options: ReadOptions, *, quiet: bool = False, **how: Any
) -> Report:
    """Add the documents of a source. Ctrl-C ends it with a message that says what is stored and how to continue."""
    from docmill.commands import adding_progress
    from scheduler import adding
    from scheduler.store import make_store

    with adding_progress.shown(quiet=quiet) as progress:
        try:
            with telling_of_a_new_store():
                return adding.add(
                    make_store, collection=collection, source=source, options=options,
                    tell=progress.tell, watch=progress.watch, **how,
                )  # fmt: skip
        except KeyboardInterrupt:
            progress.hide()
            warn(_interrupted(collection, progress.stored))
            raise typer.Exit(INTERRUPTED) from None


def _interrupted(collection: str, stored: Added) -> str:
    return (
        f"docmill: interrupted: {stored.n_good:,} documents of these files are in {collection} "
        f"({stored.n_new:,} new, {stored.n_changed:,} changed, {stored.n_unchanged:,} unchanged); "
        "run the same command again to continue; nothing is stored twice"
    )


def report(collection: str, found: Report, tell: Callable[[str], None] = say) -> None:
    """Print the counts, the notices and the bad records."""
    parts = [f"{found.n_new:,} new", f"{found.n_changed:,} changed", f"{found.n_unchanged:,} unchanged"]
    if found.n_meta_changed:
        parts.append(f"{found.n_meta_changed:,} with new metadata")
    say_notices(found.notices)
    tell(f"{collection}: {', '.join(parts)}" + (f", {len(found.bad):,} bad" if found.bad else ""))
    say_bad(found.bad, "; --json lists them all")
