"""docmill keys: who may use the web server."""

from __future__ import annotations

from typing import Annotated

import typer

from docmill.commands.options import Json
from docmill.commands.output import print_json, say, warn
from docmill.commands.shell import Commands
from docmill.commands.tables import print_table

app = Commands(help="Keys for `docmill serve`: who may read, submit and operate.")

KeyName = Annotated[str, typer.Argument(metavar="NAME", help="The key's name, for people.")]


@app.command()
def create(
    name: KeyName,
    role: Annotated[
        str,
        typer.Option(
            metavar="ROLE",
            help="read: look at everything; submit: also retry what failed; operate: also cancel, pause, promote, "
            "correct.",
        ),
    ] = "read",
) -> None:
    """Make a key and print it. It is shown only now: the store keeps its hash.

    Example: docmill keys create dashboards --role read
    """
    from db import access
    from db.access import Role
    from scheduler.store import store

    if role not in list(Role):
        raise ValueError(f"there is no role {role!r}: choose read, submit or operate")
    if not name.strip():
        raise ValueError("a key needs a name: docmill keys create NAME")
    with store().write() as session:
        key = access.create_key(session, name, Role(role))
    warn(f"key {name!r} with the role {role}; it is not shown again:")
    say(key)


@app.command(name="list")
def list_(json: Json = False) -> None:
    """List the keys, with the beginning of each and when it was used last.

    Example: docmill keys list
    """
    from db import access
    from scheduler.store import store

    columns = ("name", "role", "beginning", "created_at", "used_at", "revoked_at")
    with store().read() as session:
        rows = [{name: getattr(key, name) for name in columns} for key in access.keys(session)]
    if json:
        print_json(rows)
    else:
        print_table(rows, columns, "there are no keys: `docmill keys create NAME` makes one")


@app.command()
def revoke(name: KeyName) -> None:
    """Make a key invalid at once, with every session that began with it.

    Example: docmill keys revoke dashboards
    """
    from db import access
    from scheduler.store import store

    with store().write() as session:
        access.revoke_key(session, name)
    say(f"key {name!r} is revoked")
