"""The options of every command that reads a file, and how notices and bad records are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands.output import warn

if TYPE_CHECKING:
    from readers import BadRecord, Notice, ReadOptions

#: Notices and bad records that are listed; the rest is counted.
SHOWN = 20

Encoding = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of text files: utf-8, cp949 (also EUC-KR), utf-16, cp1252, ...; else detected."),
]  # fmt: skip
Delimiter = Annotated[
    str | None,
    typer.Option(metavar="CHAR", help="Between the columns of tables: , ; | or tab; detected if not given."),
]
KeyField = Annotated[
    str | None, typer.Option(metavar="NAME", help="Field or column with the document's key; id if not given.")
]
TextField = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Field or column with the text; text if not given. In JSON also a.b or a[].b."
    ),
]
LabelField = Annotated[
    str | None, typer.Option(metavar="NAME", help="Field or column with the label; label if not given.")
]
MetaFields = Annotated[
    list[str] | None,
    typer.Option(
        "--meta",
        metavar="FIELDS",
        help="Keep only these of the other fields: published,company; date=published renames. All if not given.",
    ),
]
NoMeta = Annotated[
    bool, typer.Option("--no-meta", help="Keep no metadata, and leave what is stored as it is.")
]


def meta_choice(fields: list[str] | None, *, none: bool) -> bool | str | None:
    """The choice of `--meta` and `--no-meta`; None for the default."""
    if fields and none:
        raise ValueError("--meta names fields to keep and --no-meta keeps none: use one of them")
    return False if none else ",".join(fields) if fields else None


Markup = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="HOW",
        help="Texts with tags: html stores what is visible, text all; else decided for each.",
    ),
]
AddTo = Annotated[
    str,
    typer.Option(
        "--collection", metavar="NAME", help="The collection to add to; created if it does not exist."
    ),
]
ExtractParameter = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        help="A parameter of the job that reads files; may be repeated.",
    ),
]


def read_options(**given: Any) -> ReadOptions:
    """How to read, from the options of a command; None stands for the default."""
    from readers import ReadOptions

    return ReadOptions(**{name: value for name, value in given.items() if value is not None})


def say_notices(notices: Sequence[Notice]) -> None:
    """How files were read, one line for each, on stderr."""
    for notice in notices[:SHOWN]:
        warn(f"  {notice}")
    if len(notices) > SHOWN:
        warn(f"  and {len(notices) - SHOWN:,} more such notes")


def say_bad(bad: Sequence[BadRecord], rest: str = "") -> None:
    """The first bad records, one line for each, on stderr; `rest` says how to see the others."""
    # What is about a whole file comes first: that the rest of it was not read must not be left out.
    for record in sorted(bad, key=lambda record: record.line is not None)[:SHOWN]:
        warn(f"  {record}")
    if len(bad) > SHOWN:
        warn(f"  and {len(bad) - SHOWN:,} more{rest}")
