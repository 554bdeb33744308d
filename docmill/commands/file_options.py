"""The options of every command that reads a file, and how it says what was found out about the files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands.output import warn

if TYPE_CHECKING:
    from readers import Notice, ReadOptions

#: So many notices are shown; the rest is counted.
SHOWN = 20

Encoding = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of text files: utf-8, cp949 (also EUC-KR), utf-16, cp1252, ...; else found."),
]  # fmt: skip
Delimiter = Annotated[
    str | None,
    typer.Option(metavar="CHAR", help="Between the columns of tables: , ; | or tab; else found."),
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


def read_options(**given: Any) -> ReadOptions:
    """How to read, from what was given on the command line; None is the default."""
    from readers import ReadOptions

    return ReadOptions(**{name: value for name, value in given.items() if value is not None})


def say_notices(notices: Sequence[Notice]) -> None:
    """How files were read, a line each, on stderr."""
    for notice in notices[:SHOWN]:
        warn(f"  {notice}")
    if len(notices) > SHOWN:
        warn(f"  and {len(notices) - SHOWN:,} more files were read in such ways")
