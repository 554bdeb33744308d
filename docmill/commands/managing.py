"""docmill documents list, show, remove."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands.options import Format, Json, Key, Limit, Where, Yes
from docmill.commands.output import (
    console,
    print_csv,
    print_json,
    print_json_array,
    print_jsonl,
    say,
    shown,
    warn,
)
from docmill.commands.shell import FAILED, INTERRUPTED, SOME_BAD, Commands
from docmill.commands.tables import print_table

if TYPE_CHECKING:
    from db.removal import Found
    from scheduler.removing import Removed, Tell

app = Commands(help="The documents of a collection: list, show and remove them.")

Of = Annotated[str, typer.Option("--collection", metavar="NAME", help="The documents' collection.")]

_COLUMNS = ("document_key", "version", "body_chars", "label", "source", "added_at")


@app.command(name="list")
def list_(
    collection: Of,
    where: Where = None,
    format: Annotated[
        Format, typer.Option(help="table, csv (safe for spreadsheets) or jsonl.")
    ] = Format.TABLE,
    limit: Limit = None,
    json: Annotated[bool, typer.Option("--json", help="Print all of them as one JSON array.")] = False,
) -> None:
    """List the documents of a collection in their latest versions, as they were added.

    Example: docmill documents list --collection inbox --limit 10
    """
    from db import documents
    from scheduler.store import store

    with store().read() as session:
        number = documents.collection_id(session, collection)
        most = 50 if limit is None and format == Format.TABLE and not json else limit
        rows = documents.listing(session, number, where, limit=most)
        if json:
            print_json_array(rows)
        elif format == Format.CSV:
            print_csv(rows)
        elif format == Format.JSONL:
            print_jsonl(rows)
        else:
            print_table(
                rows,
                _COLUMNS,
                f"{collection} has no documents: docmill add PATHS --collection {collection}",
                spare=("source", "added_at", "version"),
            )
            n = documents.count(session, number) if where is None else 0
            if most is not None and most < n:
                say(f"{most:,} of {n:,} documents: --limit N shows more, --format jsonl all")


@app.command()
def show(
    key: Key,
    collection: Annotated[
        str | None,
        typer.Option(
            "--collection", metavar="NAME", help="The document's collection; needed if several have the key."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show a document: where it comes from, its versions and labels, what jobs made of it, and its text.

    Example: docmill documents show report-7 --collection inbox
    """
    from db import documents
    from scheduler.store import store

    with store().read() as session:
        facts = documents.facts(session, key, collection)
    if json:
        print_json(facts)
        return
    text, outcomes = facts.pop("text"), facts.pop("outcomes")
    width = max(map(len, facts))
    for name, value in facts.items():
        say(f"{name:{width}}  {', '.join(value) if isinstance(value, list) else shown(value)}".rstrip())
    say("")
    print_table(
        outcomes,
        ("job", "kind", "document_version", "outcome", "detail", "written_at"),
        "no job has processed it",
    )
    say("")
    say(shown(text))


@app.command()
def remove(
    collection: Of,
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY...]", help="Keys of documents, or of files.")
    ] = None,
    key_file: Annotated[
        str | None,
        typer.Option("--keys", metavar="FILE", help="A file with one key per line; - for standard input."),
    ] = None,
    where: Where = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove documents for good, in all versions, with everything that is stored about them.

    Without --yes, it prints what would be removed and changes nothing.
    Texts, labels and results go. The outcomes of jobs stay, without their details, so that each job still adds up;
    the documents are called "(removed 17)" there. Jobs that have not ended give the documents the outcome REMOVED.
    The file that a document was made of is forgotten too; the key of a file removes all that was made of it. Models
    that were trained on the documents stay, and are listed: train them again.
    It works in small batches while jobs run. Ctrl-C is safe: the same command removes the rest. The exit status is
    3 if some of the keys do not exist, 1 if none does.

    Example: docmill documents remove report-7 report-8 --collection inbox --yes
    """
    from scheduler import removing
    from scheduler.store import store

    asked = [*_checked(keys or [], "argument"), *(_from_file(key_file) if key_file is not None else ())]
    with store().read() as session:
        chosen = removing.chosen(session, collection, asked, where)
    with telling(yes, quiet=json) as tell:
        removed = (removing.remove if yes else removing.plan)(store(), chosen, tell)
    report_removed(collection, removed, json=json)


def _from_file(name: str) -> list[str]:
    """The keys in a file, one per line."""
    raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(f"{name}:{line}: the keys must be UTF-8: convert the file") from None
    keys = _checked(text.split("\n"), name)
    if not keys:
        raise ValueError(f"{name} holds no keys: write one per line")
    return keys


def _checked(keys: list[str], where: str) -> list[str]:
    """Keys as they are stored; ValueError for one that no document can have."""
    from readers.admission import read_key
    from readers.records import RefusedError

    found = []
    for number, key in enumerate(keys, start=1):
        if not key.strip():
            continue
        try:
            found.append(read_key(key))
        except RefusedError as refused:
            raise ValueError(f"{where}:{number}: {refused}") from None
    return found


@contextmanager
def telling(really: bool, *, quiet: bool) -> Iterator[Tell]:
    """Show how far a removal is. Ctrl-C ends it with a message that says how to go on."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    n_done = 0

    def tell(found: Found) -> None:
        nonlocal n_done
        n_done = found.n_documents
        progress.update(bar, description=f"{n_done:,} documents {'removed' if really else 'counted'}")

    out = console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True, disable=quiet or not out.is_terminal) as progress:
        bar = progress.add_task("looking", total=None)
        try:
            yield tell
        except KeyboardInterrupt:
            progress.stop()
            then = "run the same command again to remove the rest" if really else "nothing was changed"
            warn(f"docmill: interrupted: {n_done:,} documents {'removed' if really else 'counted'}; {then}")
            raise typer.Exit(INTERRUPTED) from None


def report_removed(collection: str, removed: Removed, *, json: bool) -> None:
    """Print what was removed, or would be; ends the command with its exit status."""
    if json:
        print_json(_as_json(collection, removed))
    else:
        _say_removed(collection, removed)
    if removed.unknown:
        raise typer.Exit(SOME_BAD if removed.found.n_versions or removed.found.n_files else FAILED)


def _as_json(collection: str, removed: Removed) -> dict[str, Any]:
    found = removed.found
    return {
        "collection": collection,
        "removed": removed.done,
        "n_documents": found.n_documents,
        "n_versions": found.n_versions,
        "n_files": found.n_files,
        "rows": dict(sorted(found.rows.items())),
        "n_outcomes_kept": found.n_outcomes,
        "models": sorted(found.models),
        "jobs": [asdict(job) for job in removed.jobs],
        "schedules": list(removed.schedules),
        "unknown": list(removed.unknown),
    }


def _say_removed(collection: str, removed: Removed) -> None:
    found = removed.found
    n, n_files = found.n_documents, found.n_files
    older = f" in {found.n_versions:,} versions" if found.n_versions > n else ""
    files = f" and {n_files:,} {'file' if n_files == 1 else 'files'}" if n_files else ""
    done = ("was" if n == 1 and not n_files else "were") if removed.done else "would be"
    say(f"{collection}: {n:,} {'document' if n == 1 else 'documents'}{older}{files} {done} removed")
    if found.rows:
        rows = [{"table": table, "n_rows": rows} for table, rows in sorted(found.rows.items())]
        print_table(rows, ("table", "n_rows"), "")
    if found.n_outcomes:
        say(f"{found.n_outcomes:,} outcomes of jobs stay, without anything of the documents")
    for job in removed.jobs:
        say(
            f"job {job.id} ({job.kind}, {job.state}) has not ended: what it has not done gets the outcome REMOVED"
        )
    if found.models:
        names = ", ".join(sorted(found.models))
        say(
            f"models were trained on some of them, and stay: {names}; train them again to forget the documents"
        )
    for schedule in removed.schedules:
        say(f"schedule {schedule} names the collection: `docmill schedule remove {schedule}`")
    if removed.unknown:
        some = ", ".join(shown(key) for key in removed.unknown[:5])
        more = f" and {len(removed.unknown) - 5:,} more" if len(removed.unknown) > 5 else ""
        warn(f"docmill: there is no document {some}{more}: `docmill documents list` shows the keys")
    if not removed.done and (found.n_versions or found.n_files or removed.schedules):
        say("nothing was removed yet: add --yes to remove it")
