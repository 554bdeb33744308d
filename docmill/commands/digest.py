"""docmill digest: what a night did, as one page."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from docmill.commands.output import say, users_umask


class Language(StrEnum):
    """The language of the page."""

    EN = "en"
    KO = "ko"


def digest(
    to: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Where to write it; {date} is the night's date. - for stdout."),
    ],
    run: Annotated[
        int | None, typer.Argument(metavar="[RUN]", help="The run's number; the newest run if not given.")
    ] = None,
    language: Annotated[Language, typer.Option(help="The language of the page.")] = Language.EN,
) -> None:
    """Write a night's digest as an HTML page.

    It shows what came in and what was lost in extraction, labels that changed, new close documents, labels and words
    that grew, summaries, failures with what to do, models and throughput, beside the median of the nights before. It
    is one file that loads nothing else, for screens, phones and paper. A night is a run of a schedule.

    Example: docmill digest --to "reports/{date}.html" --language ko
    """
    from docmill.pages.night import write
    from scheduler.store import store

    if str(to) == "-":
        from docmill.pages.night import digest as page

        say(page(store(), run, language).rstrip("\n"))
        return
    with users_umask():
        path = write(store(), str(to), run, language)
    say(f"wrote {path}")
