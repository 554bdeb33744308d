"""docmill backup, docmill restore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands.options import Json
from docmill.commands.output import console, print_json, say, warn
from docmill.commands.shell import FAILED, INTERRUPTED, SOME_BAD

if TYPE_CHECKING:
    from docmill.backup.manifest import Manifest
    from docmill.backup.restoring import Fresh

_HINTS = "Redis holds only hints of what is ready: the scheduler fills it again, and what is left there does no harm"


def backup(
    path: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|FILE",
            help="A new folder, or a new file named *.tar, *.tar.gz or *.tgz; {date} and {time} are filled in (UTC).",
        ),
    ],
    incomplete: Annotated[
        bool,
        typer.Option(
            "--incomplete", help="Leave models out whose files are missing or damaged, instead of refusing."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Back up the store and the files of its models, while jobs run.

    The backup is the state of one moment, with the files of every model version that the store names. It appears under
    its name whole or not at all; Ctrl-C leaves nothing. PostgreSQL is read by pg_dump, which has to be installed here
    and must not be older than the server. The manifest in it lists the counts of rows and the SHA-256 of every file.
    With --incomplete, the exit status is 3 if a model was left out.

    Example: docmill backup "backups/{date}"
    """
    from docmill.backup import making
    from workers.settings import settings

    target = _filled(path)
    with _progress("nothing was written", quiet=json) as tell:
        made = making.make(settings(), target, tell, incomplete=incomplete)
    if json:
        print_json(_as_json(target, made))
    else:
        say(f"{target}: {_words(made)}")
    if made.without:
        warn(f"docmill: without the files of {', '.join(made.without)}")
        raise typer.Exit(SOME_BAD)


def restore(
    path: Annotated[
        Path | None, typer.Argument(metavar="FOLDER|FILE", help="What `docmill backup` has written.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only read the backup and compare it with its manifest.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a store that holds something, or that is damaged.")
    ] = False,
    recovered: Annotated[
        bool,
        typer.Option(
            "--recovered",
            help="The store was restored by other means, to a point in time, say: only let it start anew.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Restore a backup, or check one with --check.

    Stop schedulers and workers first. Every file is compared with the manifest before anything is changed. A store
    that holds something is replaced only with --replace. An older store is upgraded. Jobs that were running go on
    from the moment of the backup: what workers held then is ready again, and a worker of that time that still runs
    can write nothing. Models that the restored store does not name are moved into models/.before-restore-*.

    Example: docmill restore backups/2026-11-26
    """
    from docmill.backup import restoring
    from workers.settings import settings

    if recovered == (path is not None):
        raise ValueError("name a backup, or say --recovered if the store was restored by other means")
    if path is None:
        _report(None, restoring.start_anew(settings()), json=json)
        return
    if check:
        _check(path, json=json)
        return
    with _progress("run the same command again", quiet=json) as tell:
        done = restoring.restore(settings(), path, tell, replace=replace)
    _report(done.manifest, done.fresh, json=json)


def _check(path: Path, *, json: bool) -> None:
    from docmill.backup import checking

    with _progress("nothing was changed", quiet=json) as tell:
        checked = checking.check(path, lambda n, of: tell("checking", n, of))
    if json:
        print_json(_as_json(path, checked.manifest) | {"problems": checked.problems})
    else:
        for problem in checked.problems:
            warn(f"docmill: {problem}")
        said = "is damaged" if checked.problems else f"is whole: {_words(checked.manifest)}"
        say(f"{path} {said}")
    if checked.problems:
        raise typer.Exit(FAILED)


def _report(of: Manifest | None, fresh: Fresh, *, json: bool) -> None:
    if json:
        print_json({"backup_of": None if of is None else of.facts.at, **asdict(fresh)})
    else:
        if of is not None:
            say(f"restored: {_words(of)}")
        say(
            f"{fresh.n_held:,} chunks that workers held are ready again; no worker of that time can write any more"
        )
        if fresh.strays_at is not None:
            say(f"{len(fresh.strays):,} folders that the store does not name are in {fresh.strays_at} now")
        say(_HINTS)
        say("next: `docmill verify --all`, then start schedulers and workers")
    if fresh.without:
        warn(
            f"docmill: files are missing or damaged of {', '.join(fresh.without)}: copy them into the models "
            "folder, or train again"
        )
        raise typer.Exit(SOME_BAD)


def _words(made: Manifest) -> str:
    rows = made.facts.rows
    n_models = len(made.models())
    versions = "version" if n_models == 1 else "versions"
    return (
        f"{made.facts.database} at schema {made.facts.schema}, of {made.facts.at}: "
        f"{rows.get('document', 0):,} documents, {rows.get('job', 0):,} jobs, {rows.get('outcome', 0):,} outcomes, "
        f"{n_models:,} model {versions}; {made.n_bytes / 1e6:,.1f} MB"
    )


def _as_json(path: Path, made: Manifest) -> dict[str, Any]:
    return {
        "path": str(path),
        "database": made.facts.database,
        "schema": made.facts.schema,
        "at": made.facts.at,
        "rows": made.facts.rows,
        "models": [model.ref for model in made.models()],
        "without": list(made.without),
        "n_files": len(made.files),
        "n_bytes": made.n_bytes,
    }


def _filled(path: str) -> Path:
    now = datetime.now(UTC)
    return Path(path.replace("{date}", f"{now:%Y-%m-%d}").replace("{time}", f"{now:%H%M%S}"))


@contextmanager
def _progress(then: str, *, quiet: bool) -> Iterator[Callable[[str, int, int | None], None]]:
    """Show what is being copied. Ctrl-C ends the command with a message."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

    def tell(what: str, n_bytes: int, of: int | None) -> None:
        progress.update(bar, description=what, completed=n_bytes, total=of)

    out = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True, disable=quiet or not out.is_terminal) as progress:
        bar = progress.add_task("beginning", total=None)
        try:
            yield tell
        except KeyboardInterrupt:
            progress.stop()
            warn(f"docmill: interrupted: {then}")
            raise typer.Exit(INTERRUPTED) from None
