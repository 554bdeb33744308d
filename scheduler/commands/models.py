"""docmill models list, show, promote, rollback."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scheduler.commands.options import Json
from scheduler.commands.output import print_json, print_table, say
from scheduler.commands.shell import Commands

app = Commands(help="Trained models, their versions and champions.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The model's name.")]
Alias = Annotated[str, typer.Option(metavar="NAME", help="The alias to move.")]


@app.command(name="list")
def list_(json: Json = False) -> None:
    """List every version of every model.

    Example: docmill models list
    """
    _show(None, json=json)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one model's versions with all their figures.

    Example: docmill models show sentiment
    """
    _show(name, json=json)


@app.command()
def promote(
    version: Annotated[
        str, typer.Argument(metavar="NAME@VERSION", help="As `docmill models list` shows them.")
    ],
    alias: Alias = "champion",
    force: Annotated[bool, typer.Option("--force", help="Promote what the gate refused.")] = False,
) -> None:
    """Let jobs that ask for NAME use this version.

    A version that its gate refused becomes champion with --force only; the message gives each figure and bar.

    Example: docmill models promote sentiment@2
    """
    from db import gates, model_versions
    from scheduler.client import store

    with store().write() as session:
        promoted = model_versions.promote(session, version, alias, force=force)
        judgement = gates.of(session, promoted.id)
    say(f"{promoted.model}@{alias} is version {promoted.version} now")
    say(f"its gate: {judgement}" if judgement is not None else "no gate has judged it")


@app.command()
def rollback(
    name: Name,
    alias: Alias = "champion",
) -> None:
    """Let an alias stand for the version it stood for before.

    Example: docmill models rollback sentiment
    """
    from db import model_versions
    from scheduler.client import store

    with store().write() as session:
        restored = model_versions.rollback(session, name, alias)
    say(f"{name}@{alias} is version {restored.version} again")


def _show(name: str | None, *, json: bool) -> None:
    from db import model_versions
    from scheduler.client import store

    with store().read() as session:
        rows = model_versions.listing(session, name)
    if json:
        print_json(rows)
        return
    for row in rows:
        row["aliases"] = ", ".join(row["aliases"])
        row["figures"] = ", ".join(
            f"{metric} {value:.4g}" for metric, value in sorted(row["metrics"].items())
        )
        row["gate"] = _in_words(row["gate"])
    columns = ("model", "version", "kind", "aliases", "created_at", "figures", "gate")
    print_table(rows, columns, "no models yet: docmill train classify --collection NAME")


def _in_words(gate: dict[str, Any] | None) -> str:
    if gate is None:
        return ""
    beside = f" beside version {gate['beside_version']}" if gate["beside_version"] else ""
    return f"{'passed' if gate['passed'] else 'refused'}{beside}: {gate['words']}"
