"""docmill kinds: the kinds of jobs and their parameters."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands.options import Json
from docmill.commands.output import console, print_json, say
from docmill.commands.tables import print_table

if TYPE_CHECKING:
    from nlp_tasks.kind import Kind
    from nlp_tasks.parameters import Parameter


def kinds(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="KIND", help="Show the parameters of this kind; all kinds if not given."),
    ] = None,
    json: Json = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the parameters, by kind.")
    ] = False,
) -> None:
    """List the kinds of jobs, or the parameters of one.

    Each parameter is shown with its default, what is allowed, and what it does.

    With --json: a list of kinds, each with `kind`, `summary`, `parameters` (name and default) and `described` (a list
    with `name`, `type`, `default`, `range`, `unit`, `help`, `is_folder` and `file` for each parameter). With --schema:
    one object, with the JSON Schema of the parameters for each kind.

    Example: docmill kinds summarize
    """
    from nlp_tasks import parameters
    from workers.kinds import all_kinds, find

    chosen = [*all_kinds().values()] if kind is None else [find(kind)]
    if schema:
        print_json({one.name: parameters.schema(one.parameters) for one in chosen})
    elif json:
        print_json([_as_json(one) for one in chosen])
    elif kind is None:
        print_table(
            [{"kind": one.name, "summary": one.summary} for one in chosen], ("kind", "summary"), "none"
        )
        say("docmill kinds KIND shows parameters")
    else:
        _show(chosen[0])


def _show(kind: Kind) -> None:
    from nlp_tasks.parameters import describe

    say(_wrapped(kind.summary))
    rows = [
        {"parameter": one.name, "default": str(one.default), "allowed": _allowed(one), "what it is": one.help}
        for one in describe(kind.parameters)
    ]
    print_table(rows, ("parameter", "default", "allowed", "what it is"), "no parameters")


def _wrapped(text: str) -> str:
    """As wide as the terminal, between words; whole into a file or a pipe."""
    return "\n".join(textwrap.wrap(text, console().width))


def _allowed(one: Parameter) -> str:
    return one.type.removeprefix("one of ") if not one.range else f"{one.type}, {one.range}"


def _as_json(kind: Kind) -> dict[str, Any]:
    from dataclasses import asdict

    from nlp_tasks.parameters import describe

    declared = describe(kind.parameters)
    return {
        "kind": kind.name,
        "summary": kind.summary,
        "parameters": {one.name: one.default for one in declared},
        "described": [asdict(one) for one in declared],
    }
