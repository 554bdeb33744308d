"""docmill collections, collections remove, collections rename."""

from __future__ import annotations

from typing import Annotated

import typer

from docmill.commands.options import Json, Yes
from docmill.commands.output import print_json, say
from docmill.commands.shell import Commands, CommandWithOthers
from docmill.commands.tables import print_table

app = Commands(invoke_without_command=True, cls=CommandWithOthers)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The collection.")]


@app.callback()
def collections(ctx: typer.Context, json: Json = False) -> None:
    """List the collections with their numbers of documents.

    `docmill collections remove` and `docmill collections rename` change them.

    Example: docmill collections
    """
    if ctx.invoked_subcommand is not None:
        return
    from db import documents
    from scheduler.store import store

    with store().read() as session:
        rows = [{"collection": name, "n_documents": n} for name, n in documents.collections(session)]
    if json:
        print_json(rows)
    else:
        empty = f"no collections yet in {store().name}: docmill add PATHS --collection NAME"
        print_table(rows, ("collection", "n_documents"), empty)


@app.command()
def remove(name: Name, yes: Yes = False, json: Json = False) -> None:
    """Remove a collection with all its documents, files, labels and results.

    Without --yes, it prints what would be removed and changes nothing. Outcomes of jobs stay, without anything of the
    documents; see `docmill documents remove`. Ctrl-C is safe: the same command removes the rest.

    Example: docmill collections remove inbox --yes
    """
    from docmill.commands.managing import report_removed, telling
    from scheduler import removing
    from scheduler.store import store

    with telling(yes, quiet=json) as tell:
        removed = removing.remove_collection(store(), name, tell, really=yes)
    report_removed(name, removed, json=json)


@app.command()
def rename(
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
) -> None:
    """Rename a collection.

    Schedules that name it are changed too. Files with the name in them are not: scripts, plans, queries.

    Example: docmill collections rename inbox filings
    """
    from db import removal
    from scheduler.adding import check_collection_name
    from scheduler.store import store

    check_collection_name(new)
    with store().write() as session:
        schedules = removal.rename(session, name, new)
    say(f"{name} is now {new}" + (f"; changed schedules: {', '.join(schedules)}" if schedules else ""))
