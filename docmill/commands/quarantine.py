"""docmill quarantine list, show, retry, release."""

from __future__ import annotations

from typing import Annotated

import typer

from docmill.commands.options import JobId, Json, Key, Wait
from docmill.commands.output import print_json, say, shown
from docmill.commands.shell import Commands
from docmill.commands.tables import print_table

app = Commands(help="Documents that kill, block or exhaust workers.")

Keys = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY...]", help="The documents' keys; all of the job's if not given."),
]


@app.command(name="list")
def list_(
    job: Annotated[int | None, typer.Option(metavar="JOB", help="Of this job only.")] = None,
    collection: Annotated[str | None, typer.Option(metavar="NAME", help="Of this collection only.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="The latest N.")] = 50,
    json: Json = False,
) -> None:
    """List the documents in quarantine, newest first.

    The outcomes POISON, TIMEOUT, MEMORY and CRASHED put a document into quarantine for that kind of job. It leaves
    when its text changes, when a later job of that kind succeeds with it, or by release. `submit --new` skips
    documents in quarantine; other jobs process them.

    Example: docmill quarantine list --collection inbox
    """
    from dataclasses import asdict

    from db import quarantine
    from scheduler.store import store

    with store().read() as session:
        found = quarantine.entries(session, job_id=job, collection=collection, limit=limit)
    rows = [asdict(entry) for entry in found]
    if json:
        print_json(rows)
    else:
        print_table(
            rows, ("job", "kind", "collection", "document_key", "code", "detail"), "nothing is in quarantine"
        )


@app.command()
def show(job: JobId, key: Key, json: Json = False) -> None:
    """Show everything about one document in quarantine.

    Example: docmill quarantine show 42 report-7
    """
    from dataclasses import asdict

    from db import quarantine
    from scheduler.store import store

    with store().read() as session:
        [entry] = quarantine.of_job(session, job, [key])
        facts = asdict(entry) | quarantine.chunk_facts(session, entry)
    if json:
        print_json(facts)
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        say(f"{name:{width}}  {shown(value)}")
    say(f"run it here:  docmill repro {job} {_quoted(key)}")
    say(f"try again:    docmill quarantine retry {job} {_quoted(key)}")


@app.command()
def retry(job: JobId, keys: Keys = None, wait: Wait = False, json: Json = False) -> None:
    """Submit a new job over documents in quarantine.

    It has the settings of the old job. Documents that succeed leave quarantine. Exit statuses are those of submit.

    Example: docmill quarantine retry 42 report-7 --wait
    """
    from db import quarantine
    from docmill.commands.submitting import report
    from scheduler import requests
    from scheduler.store import store
    from workers import tracing

    tracing.start("docmill")
    with store().write() as session:
        found = quarantine.of_job(session, job, keys or ())
        submitted = requests.retry(session, job, tuple(entry.document_id for entry in found))
        kind = found[0].kind
    report(submitted, kind, wait=wait, json=json)


@app.command()
def release(job: JobId, keys: Keys = None, json: Json = False) -> None:
    """Release documents from quarantine.

    They leave the list, and the next job over new documents processes them again. Nothing is run now, and their
    outcomes stay. Use it once the cause is fixed: a runner, a driver, the memory.

    Example: docmill quarantine release 42
    """
    from db import quarantine
    from scheduler.store import store

    with store().write() as session:
        found = quarantine.of_job(session, job, keys or ())
        quarantine.release(session, found)
    if json:
        print_json({"job": job, "released": [entry.document_key for entry in found]})
    else:
        n = len(found)
        say(
            f"{n:,} {'document is' if n == 1 else 'documents are'} released: `submit --new` processes them again"
        )


def _quoted(key: str) -> str:
    import shlex

    return shlex.quote(key)
