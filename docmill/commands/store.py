"""docmill db upgrade, db show, docmill doctor."""

from __future__ import annotations

import typer

from docmill.commands import about
from docmill.commands.about import telling_of_a_new_store
from docmill.commands.options import Json
from docmill.commands.output import print_json, say, shown
from docmill.commands.shell import FAILED, Commands

app = Commands(help="The store's tables.")


@app.command()
def upgrade() -> None:
    """Create the tables, or upgrade them to this version.

    Running it twice is harmless. PostgreSQL needs it once for each version, and once for a package that brings kinds;
    SQLite is upgraded automatically.

    Example: DOCMILL_DATABASE_URL=postgresql://docmill@db/docmill docmill db upgrade
    """
    from db import migrations
    from db.store import SCHEMA, Store
    from workers.kinds import all_kinds
    from workers.settings import settings

    # The tables of kinds from other packages are created too.
    all_kinds()
    store = Store(settings().url)
    try:
        with telling_of_a_new_store():
            migrations.upgrade(store)
    finally:
        store.close()
    say(f"{store.name} is at schema {SCHEMA}")


@app.command()
def show(json: Json = False) -> None:
    """Print which store, Redis and folders docmill uses here.

    Nothing is created or contacted. `docmill doctor` checks whether everything works. `docmill --verbose COMMAND`
    prints the same before any command.

    Example: docmill db show
    """
    facts = about.where()
    if json:
        print_json(facts)
        return
    for name, value in facts.items():
        say(f"{name:7}  {shown(value)}")


def doctor(json: Json = False) -> None:
    """Find what is unreachable or stuck, and how to fix it.

    The exit status is 0 if all is well, 1 if something needs attention.

    Example: docmill doctor
    """
    from dataclasses import asdict

    from docmill.doctor import diagnosis

    findings = diagnosis.run()
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            say(f"{'ok  ' if finding.ok else 'BAD '} {finding.what}: {finding.detail}")
            if finding.fix:
                say(f"       -> {finding.fix}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(FAILED)
