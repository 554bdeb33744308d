"""Exports: the rows of a query as a file or as a table of another database, whole or not at all.

Nothing of it is held in memory but a batch of rows. An export that is interrupted or killed leaves what was there
before, and is simply made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from db import exports
from db.exports import Attempt
from db.reading import Column, Reading, Row, Type
from db.store import Store
from scheduler import queries
from scheduler.exports import changes, request, source, target_table, writers
from scheduler.exports.manifest import Manifest, path_beside
from scheduler.exports.request import ExportRequest, Mode
from scheduler.exports.source import Source
from scheduler.exports.whole_file import sha256, whole
from scheduler.exports.writers import Notes, Options

#: Called with the number of rows so far, and their number in all where it is known.
Tell = Callable[[int, int | None], None]


def export(
    store: Store,
    wanted: ExportRequest,
    tell: Tell | None = None,
    complete: Callable[[Attempt], None] | None = None,
) -> Manifest:
    """Make one export and return its manifest. ValueError, with what to write instead, for a request that cannot be
    carried out; NoSuchJobError for a job that does not exist; ConflictError for a name with another query. With
    `complete`, changed rows count as exported only when the caller has passed the attempt to `exports.count`."""
    request.check(wanted)
    target = target_table.parse(wanted.to_table, store) if wanted.to_table is not None else None
    open_file = writers.opener(request.format_of(wanted)) if target is None else None
    found = source.of(store, wanted)
    with ExitStack() as stack:
        reading = stack.enter_context(queries.reading(store, found.query, wanted.seconds))
        _check_columns(reading, found, wanted)
        attempt = _attempt(store, wanted, found)
        counted = _Counted(
            _rows(store, reading, attempt, found.key), reading.n_rows if attempt is None else None, tell
        )
        columns = reading.columns
        if attempt is not None and target is None:
            columns = (Column(changes.CHANGE, Type.TEXT), *columns)
        about = _About(wanted, found, reading, columns, counted)
        if target is not None:
            manifest = _to_table(target, about)
        else:
            assert open_file is not None
            manifest = _to_file(open_file, about)
    if attempt is not None:
        # After the file or the table: an export that is killed in between writes the same rows again.
        if complete is not None:
            complete(attempt)
        else:
            exports.complete(store, attempt)
    return manifest


class _Counted:
    """Batches that are counted as they pass."""

    def __init__(self, batches: Iterator[list[Row]], n_in_all: int | None, tell: Tell | None) -> None:
        self._batches, self._n_in_all, self._tell = batches, n_in_all, tell
        self.n_rows = 0
        self.changes = {changes.NEW: 0, changes.CHANGED: 0, changes.GONE: 0}

    def __iter__(self) -> Iterator[list[Row]]:
        for batch in self._batches:
            yield batch
            self.n_rows += len(batch)
            for row in batch:
                if row and row[0] in self.changes:
                    self.changes[row[0]] += 1
            if self._tell is not None:
                self._tell(self.n_rows, self._n_in_all)


class _About:
    """What a manifest is made of."""

    def __init__(
        self,
        wanted: ExportRequest,
        found: Source,
        reading: Reading,
        columns: Sequence[Column],
        rows: _Counted,
    ) -> None:
        self.wanted, self.found, self.reading, self.columns, self.rows = wanted, found, reading, columns, rows

    def manifest(self, *, format_: str, to: str, notes: Notes, path: Path | None = None) -> Manifest:
        wanted = self.wanted
        return Manifest(
            docmill=version("docmill"),
            made_at=self.reading.moment,
            what=wanted.what,
            query=self.found.query,
            name=wanted.name,
            format=format_,
            to=to,
            n_rows=self.rows.n_rows,
            changes=dict(self.rows.changes) if wanted.only_changed else None,
            n_bytes=None if path is None else path.stat().st_size,
            sha256=None if path is None else sha256(path),
            columns=[{"name": column.name, "type": str(column.type)} for column in self.columns],
            key=list(self.found.key),
            time_zone=wanted.time_zone,
            position=self.reading.position,
            notes=notes.lines(),
        )


def _to_file(open_file: writers.Open, about: _About) -> Manifest:
    wanted = about.wanted
    path = request.path_of(wanted, about.reading.moment)
    notes = Notes()
    options = Options(request.zone(wanted.time_zone), wanted.bom, wanted.raw)
    with whole(path) as part:
        with open_file(part, about.columns, options, notes) as write:
            for batch in about.rows:
                write(batch)
        format_ = str(request.format_of(wanted))
        manifest = about.manifest(format_=format_, to=str(path), notes=notes, path=part)
    with whole(path_beside(path)) as part:
        part.write_text(manifest.as_json(), encoding="utf-8")
    return manifest


def _to_table(target: target_table.Target, about: _About) -> Manifest:
    wanted = about.wanted
    with target_table.opened(
        target, about.columns, about.found.key, wanted.mode, changes=wanted.only_changed
    ) as write:
        for batch in about.rows:
            write(batch)
    manifest = about.manifest(format_="table", to=target.name, notes=Notes())
    if wanted.manifest is not None:
        with whole(Path(wanted.manifest)) as part:
            part.write_text(manifest.as_json(), encoding="utf-8")
    return manifest


def _rows(store: Store, reading: Reading, attempt: Attempt | None, key: Sequence[str]) -> Iterator[list[Row]]:
    return reading.batches if attempt is None else changes.changed(store, attempt, reading, key)


def _attempt(store: Store, wanted: ExportRequest, found: Source) -> Attempt | None:
    if not wanted.only_changed:
        return None
    assert wanted.name is not None
    return exports.begin(store, wanted.name, found.query, found.key, restart=wanted.restart)


def _check_columns(reading: Reading, found: Source, wanted: ExportRequest) -> None:
    names = [column.name for column in reading.columns]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(
            f"two columns are named {sorted(twice)[0]}: give them names, as in SELECT a.key AS other_key"
        )
    if wanted.only_changed:
        source.check_key(found.key, names, "--changed-since")
        if changes.CHANGE in names and wanted.to is not None:
            raise ValueError(f"the query has a column {changes.CHANGE!r}, as --changed-since adds: rename it")
    elif wanted.mode is Mode.UPSERT:
        source.check_key(found.key, names, "--mode upsert")
    elif wanted.key:
        source.check_key(found.key, names, "--key")
