"""docmill pages: a copy of the pages as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from docmill.commands.options import Json
from docmill.commands.output import console, print_json, say, users_umask

#: What people call the pages of a route, for what is left out.
_NAMES = {
    "job": "jobs",
    "job_results": "results",
    "digest": "nights",
    "document": "documents",
    "figures": "figures",
}


def pages(
    to: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Where to write them; replaced as a whole if it is an earlier copy."
        ),
    ],
    documents: Annotated[
        int, typer.Option(metavar="N", min=0, help="Documents of each collection, at most; 0: no texts.")
    ] = 200,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="The newest N jobs.")] = 200,
    nights: Annotated[int, typer.Option(metavar="N", min=1, help="The newest N nights.")] = 60,
    json: Json = False,
) -> None:
    """Write the pages as files that need no server.

    They are those of `docmill serve` for readers: the overview, jobs, documents, models, nights, workers, quarantine.
    FOLDER/index.html opens in a browser from the disk, and any web server can serve the folder. The files have no forms
    and no scripts. What is beyond the limits is not linked, and every page says the limits. Readers of the old copy see
    it until the new one is complete.

    Example: docmill pages --to /srv/www/docmill
    """
    from docmill.web.static_copy import making
    from docmill.web.static_copy.limits import Limits
    from scheduler.store import store

    limits = Limits(jobs=jobs, nights=nights, documents=documents)
    with users_umask(), _telling(quiet=json) as tell:
        made = making.copy(store(), to, limits, tell)
    if json:
        print_json({"folder": str(to)} | asdict(made))
        return
    say(f"{to / 'index.html'}: {made.n_pages:,} pages, {made.n_bytes / 1e6:,.1f} MB, with {limits.words}")
    beyond = [f"{n:,} {_NAMES[name]}" for name, n in made.n_left_out.items() if name in _NAMES]
    if beyond:
        say(f"left out, though pages name them: {', '.join(beyond)}")


@contextmanager
def _telling(*, quiet: bool) -> Iterator[Callable[[int], None]]:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    out = console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True, disable=quiet or not out.is_terminal) as progress:
        bar = progress.add_task("reading", total=None)
        yield lambda n_pages: progress.update(bar, description=f"{n_pages:,} pages")
