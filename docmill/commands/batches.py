"""docmill batches: what programs have sent through the API in OpenAI's form."""

from __future__ import annotations

from typing import Annotated

import typer

from docmill.commands.options import Json, Yes
from docmill.commands.output import print_json, say
from docmill.commands.shell import Commands
from docmill.commands.tables import print_table

app = Commands(help="Batches of requests and their files, as programs sent them to `docmill serve`.")

Most = Annotated[
    int,
    typer.Option(
        "--limit", metavar="N", min=1, max=10_000, help="Maximum number of batches, the newest first."
    ),
]

_COLUMNS = (
    "batch", "state", "endpoint", "collection", "total", "completed", "failed", "owner", "created_at", "ended_at",
    "jobs",
)  # fmt: skip
_FILE_COLUMNS = ("file", "purpose", "bytes", "filename", "owner", "created_at", "expires_at")
#: Lines of one transaction.
_LINES = 5_000


@app.command(name="list")
def list_(limit: Most = 50, json: Json = False) -> None:
    """List batches, the newest first, with their counts and jobs.

    Example: docmill batches list
    """
    from db import request_batches, request_lines
    from scheduler.store import store

    rows = []
    with store().read() as session:
        for batch in request_batches.page(session, after=None, limit=limit):
            counts = request_batches.counts(session, batch)
            numbers = [group.job_id for group in request_lines.groups(session, batch.id) if group.job_id]
            facts = (
                batch.public_id, str(batch.state), batch.endpoint, batch.collection, counts.total, counts.completed,
                counts.failed, batch.owner, batch.created_at, batch.ended_at, ", ".join(map(str, numbers)),
            )  # fmt: skip
            rows.append(dict(zip(_COLUMNS, facts, strict=True)))
    if json:
        print_json(rows)
    else:
        spare = ("owner", "created_at", "ended_at", "collection")
        print_table(
            rows, _COLUMNS, "there are no batches: docs/openai.md tells how programs send one", spare=spare
        )


@app.command()
def files(limit: Most = 50, json: Json = False) -> None:
    """List the files that programs uploaded and that batches wrote, the newest first.

    Example: docmill batches files
    """
    from db import api_files
    from scheduler.store import store

    with store().read() as session:
        found = api_files.page(session, after=None, limit=limit)
    rows = [
        {
            "file": file.public_id,
            "purpose": file.purpose,
            "bytes": file.n_bytes,
            "filename": file.filename,
            "owner": file.owner,
            "created_at": file.created_at,
            "expires_at": file.expires_at,
        }
        for file in found
    ]
    if json:
        print_json(rows)
    else:
        print_table(rows, _FILE_COLUMNS, "there are no files", spare=("owner", "created_at", "expires_at"))


@app.command()
def cancel(batch: Annotated[str, typer.Argument(metavar="BATCH", help="Its id: batch_...")]) -> None:
    """Cancel a batch: what was done until then is written to its output file.

    Example: docmill batches cancel batch_0123456789abcdef0123456789abcdef
    """
    from db import request_batches
    from scheduler.store import store

    with store().write() as session:
        request_batches.cancel(session, batch)
    say(f"{batch} is being cancelled: `docmill batches list` shows when it has ended")


@app.command()
def remove(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="The id of a batch or file: batch_... or file-...")
    ],
    yes: Yes = False,
) -> None:
    """Remove a batch that has ended, with its files, or a file that no batch reads.

    Without --yes, it says what would be removed. The documents of a batch go with it if they have a collection of
    their own; those in a collection that the program named stay. Outcomes of jobs stay in any case.

    Example: docmill batches remove batch_0123456789abcdef0123456789abcdef --yes
    """
    if name.startswith("file-"):
        _remove_file(name, really=yes)
    else:
        _remove_batch(name, really=yes)
    if not yes:
        say("nothing was removed yet: add --yes to remove it")


def _remove_file(name: str, *, really: bool) -> None:
    from db import api_files
    from scheduler.store import store

    with store().write() as session:
        file = api_files.find(session, name)
        n_bytes, filename = file.n_bytes, file.filename
        if really:
            api_files.delete_file(session, name)
    say(f"{name} ({filename}, {n_bytes:,} bytes) {'was' if really else 'would be'} removed")


def _remove_batch(name: str, *, really: bool) -> None:
    from db import request_batches
    from db.errors import NotFoundError
    from scheduler import removing
    from scheduler.store import store

    with store().read() as session:
        batch = request_batches.find(session, name)
    request_batches.insist_on_end(batch)
    own = batch.collection == batch.public_id
    n_documents = 0
    if own:
        try:
            n_documents = removing.remove_collection(store(), name, really=really).found.n_documents
        except NotFoundError:
            n_documents = 0
    while really:
        with store().write() as session:
            if request_batches.remove_some(session, request_batches.find(session, name), _LINES) is None:
                break
    what = f" and {n_documents:,} documents" if own else f"; its documents in {batch.collection} stay"
    say(
        f"{name} with {batch.n_lines:,} requests and its files{what} {'was' if really else 'would be'} removed"
    )
