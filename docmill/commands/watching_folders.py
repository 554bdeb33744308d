"""docmill watch-folder."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from docmill.commands.file_options import (
    AddTo,
    Delimiter,
    Encoding,
    ExtractParameter,
    KeyField,
    LabelField,
    Markup,
    MetaFields,
    NoMeta,
    TextField,
    meta_choice,
    read_options,
    say_bad,
    say_notices,
)
from docmill.commands.options import parse
from docmill.commands.output import say, warn
from docmill.commands.shell import SOME_BAD

if TYPE_CHECKING:
    from readers import ReadOptions
    from scheduler.adding import Report
    from scheduler.watched_folder import Mark, WatchedFolder

#: Failed files that are listed of a job.
_LISTED = 20


def watch_folder(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder, with the folders in it.")],
    collection: AddTo,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="Time between two looks at the folder.")
    ] = 2.0,
    settle: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.0, help="A file is taken once it has not changed for so long."),
    ] = 5.0,
    once: Annotated[
        bool, typer.Option("--once", help="Add what is there, after one wait for it to settle; then end.")
    ] = False,
    encoding: Encoding = None,
    key_field: KeyField = None,
    text_field: TextField = None,
    label_field: LabelField = None,
    delimiter: Delimiter = None,
    markup: Markup = None,
    meta: MetaFields = None,
    no_meta: NoMeta = False,
    parameter: ExtractParameter = None,
) -> None:
    """Add files to a collection as they arrive in a folder.

    A file is added as by `docmill add FOLDER`, once it has stopped growing; a changed one is added again. Hidden files
    and those that end in .part, .tmp or the like are left alone. Files are neither moved nor deleted: workers read them
    later. Each addition is a line, what failed is listed, and the end of each extract job is told. After a restart
    everything is compared with the store, and nothing is added twice. Ctrl-C or SIGTERM ends it. With --once, the
    exit status is 3 if something could not be added or is still growing.

    Example: docmill watch-folder /srv/inbox --collection inbox
    """
    options = read_options(
        encoding=encoding,
        key_field=key_field,
        text_field=text_field,
        label_field=label_field,
        delimiter=delimiter,
        markup=markup,
        meta=meta_choice(meta, none=no_meta),
    )
    from scheduler.adding import check_collection_name
    from scheduler.files import KIND
    from scheduler.watched_folder import WatchedFolder

    check_collection_name(collection)
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is no folder: `docmill watch-folder` watches one, `docmill add` adds files"
        )
    watcher = _Watcher(WatchedFolder(folder, settle), collection, options, parse(parameter, KIND))
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if once:
            raise typer.Exit(watcher.once())
        warn(f"watching {folder} for {collection}: Ctrl-C ends it")
        watcher.forever(every)
    except KeyboardInterrupt:
        warn(f"docmill: {watcher.words()}; extract jobs continue, `docmill status` shows them")
    finally:
        signal.signal(signal.SIGTERM, before)


class _Watcher:
    """Adds what has settled, and reports it."""

    def __init__(
        self, watched: WatchedFolder, collection: str, options: ReadOptions, extract: dict[str, Any]
    ) -> None:
        self._watched, self._collection, self._options, self._extract = watched, collection, options, extract
        self._jobs: set[int] = set()
        self._n_added = self._n_bad = 0
        self._trouble = ""

    def forever(self, every: float) -> None:
        """Look again and again. A folder or a store that is away for a while is waited for."""
        from db.database_errors import words
        from db.store import is_infrastructure_error

        while True:
            try:
                self._look()
                self._tell_ended_jobs()
                self._trouble = ""
            except Exception as error:
                if not isinstance(error, OSError) and not is_infrastructure_error(error):
                    raise
                if (said := words(error)) != self._trouble:
                    _tell(f"waiting: {said}")
                    self._trouble = said
            time.sleep(every)

    def once(self) -> int:
        """Look, wait, look again; returns the exit status."""
        self._look()
        if self._watched.growing:
            time.sleep(self._watched.settle_seconds)
            self._look()
        for name in self._watched.growing[:_LISTED]:
            warn(f"  {self._watched.folder / name}: is still growing; it was left alone")
        if not self._n_added and not self._n_bad:
            say(f"{self._collection}: there is nothing to add in {self._watched.folder}")
        return SOME_BAD if self._n_bad or self._watched.growing else 0

    def words(self) -> str:
        """What was done so far."""
        return f"{self._n_added:,} documents and files were added, {self._n_bad:,} were bad"

    def _look(self) -> None:
        ready = self._watched.look(time.monotonic())
        if ready:
            report = self._add(ready)
            self._watched.taken(ready, lambda: iter(report.bad))
            self._report(ready, report)

    def _add(self, ready: Mapping[str, Mark]) -> Report:
        from scheduler import adding
        from scheduler.sources import Source
        from scheduler.store import make_store
        from scheduler.watched_folder import Only

        source = Source((str(self._watched.folder),), accepts=Only(ready))
        return adding.add(
            make_store,
            collection=self._collection,
            source=source,
            options=self._options,
            extract=self._extract,
        )

    def _report(self, ready: Mapping[str, Mark], report: Report) -> None:
        from docmill.commands.adding_files import report_files

        self._n_added += report.n_good
        self._n_bad += len(report.bad)
        counts = f"{report.n_new:,} new, {report.n_changed:,} changed, {report.n_unchanged:,} unchanged"
        what = next(iter(ready)) if len(ready) == 1 else f"{len(ready):,} files"
        bad = f", {len(report.bad):,} bad" if report.bad else ""
        texts = report.n_new or report.n_changed or report.n_unchanged or not report.files.n_files
        _tell(f"{what}: {counts}{bad}" if texts or bad else what)
        report_files(report.files, _tell)
        say_notices(report.notices)
        say_bad(report.bad)
        self._jobs |= {*report.files.planned_in} | (
            {report.files.job} if report.files.job is not None else set()
        )

    def _tell_ended_jobs(self) -> None:
        from db import progress, results
        from scheduler.store import store

        for job in sorted(self._jobs):
            with store().read() as session:
                now = progress.of(session, job)
                if not now.ended:
                    continue
                failed = list(islice(results.errors_of(session, job), _LISTED))
            self._jobs.discard(job)
            cancelled = f", {now.n_cancelled:,} cancelled" if now.n_cancelled else ""
            _tell(f"job {job} is {now.state}: {now.n_ok:,} extracted, {now.n_failed:,} failed{cancelled}")
            for row in failed:
                warn(f"  {row['document_key']}: {row['error_code']}: {row['error_detail']}")
            if now.n_error > len(failed):
                warn(f"  and {now.n_error - len(failed):,} more: docmill results {job} --errors")


def _tell(words: str) -> None:
    say(f"{datetime.now().astimezone():%H:%M:%S} {words}")
