"""Which kinds of jobs there are: docmill's own, those that installed packages bring (entry points of the group
`docmill.kinds`), and those of the modules named in DOCMILL_KIND_MODULES."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Any

from db.tables import Job, result
from db.tables.model import ModelFigure
from db.work import Work
from nlp_tasks import parameters
from nlp_tasks.kind import Kind
from workers.settings import settings

#: Each names a module with `KINDS`, an iterable of `Kind`.
ENTRY_POINTS = "docmill.kinds"


@cache
def all_kinds() -> dict[str, Kind]:
    """Every kind by name; the tables of their rows are known from then on. A module that cannot be imported, has no
    KINDS, repeats a name or has a row that can be no table raises ValueError."""
    from nlp_tasks.registry import KINDS

    kinds = dict(KINDS)
    for source, found in _from_others():
        for kind in found:
            if kind.name in kinds:
                raise ValueError(f"{source} repeats the kind {kind.name!r}")
            kinds[kind.name] = kind
    for kind in kinds.values():
        _make_tables(kind)
    return kinds


def known_epochs() -> str:
    """The epoch that the code of each kind has, as JSON."""
    return json.dumps({name: kind.epoch for name, kind in all_kinds().items()})


def _make_tables(kind: Kind) -> None:
    try:
        for row in kind.rows:
            result.from_row(row)
        for row in kind.figure_rows:
            result.from_row(row, ModelFigure)
    except TypeError as error:
        raise ValueError(f"kind {kind.name}: {error}") from error


def _from_others() -> Iterator[tuple[str, Sequence[Kind]]]:
    """(where they come from, kinds)"""
    for entry in _installed():
        where = f"package {entry.dist.name if entry.dist else '?'}, entry point {entry.name}"
        try:
            yield where, entry.load().KINDS
        except (ImportError, AttributeError) as error:
            raise ValueError(f"{where}: cannot load kinds from {entry.value!r}: {error}") from error
    for name in filter(None, (part.strip() for part in settings().kind_modules.split(","))):
        yield f"DOCMILL_KIND_MODULES: {name}", _kinds_of(name)


@cache
def _installed() -> EntryPoints:
    """What the installed packages declare. Asking reads a file of every package, and they do not change meanwhile."""
    return entry_points(group=ENTRY_POINTS)


def _kinds_of(module_name: str) -> Sequence[Kind]:
    search_current_folder_last()
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        # Whatever its code raises: a SyntaxError, a NameError.
        raise ValueError(f"DOCMILL_KIND_MODULES: cannot import {module_name!r}: {_reason(error)}") from error
    found = getattr(module, "KINDS", None)
    if not isinstance(found, list | tuple) or not all(isinstance(kind, Kind) for kind in found):
        raise ValueError(
            f"DOCMILL_KIND_MODULES: {module.__file__} needs KINDS, a list or tuple of nlp_tasks.kind.Kind"
        )
    return found


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"


def search_current_folder_last() -> None:
    """A user's module of kinds may be in the current folder. Anything else in it replaces no module of ours."""
    try:
        folder = str(Path.cwd())
    except FileNotFoundError:
        # Somebody removed it: there is nothing to import.
        return
    if folder not in sys.path:
        sys.path.append(folder)


def find(name: str) -> Kind:
    """The kind of this name; ValueError with the names there are."""
    kinds = all_kinds()
    if name not in kinds:
        train = "train-"
        alike = (kind for kind in sorted(kinds) if kind.startswith(train) == name.startswith(train))
        choices = ", ".join(kind.removeprefix(train) for kind in alike)
        what = (
            f"nothing to train named {name.removeprefix(train)!r}"
            if name.startswith(train)
            else f"no kind {name!r}"
        )
        raise ValueError(f"there is {what}: choose one of {choices}")
    return kinds[name]


def result_table(kind_name: str, table: str | None = None, model: str | None = None) -> str:
    """The table of a kind's results: the named one, else the first that the kind has (a summary, not its sentences).
    ValueError if the kind has no such table, or makes a model."""
    kind = find(kind_name)
    if kind.train is not None:
        raise ValueError(
            f"{kind.name} trains a model and has no result rows: see docmill models show {model or 'NAME'}"
        )
    tables: list[str] = [row.table for row in kind.rows if row.table in result.by_job()]
    if not tables:
        raise ValueError(f"{kind.name} has no result rows")
    if table is not None and table not in tables:
        raise ValueError(f"{kind.name} has no table {table!r}: choose one of {', '.join(tables)}")
    return table or tables[0]


def work_of(job: Job) -> Work:
    """What a job does, as `db.work` compares it."""
    kind = find(job.kind)
    return Work(
        kind.name,
        job.parameters,
        job.model_version_id,
        job.epoch,
        parameters.defaults(kind.parameters),
        parameters.without_effect(kind.parameters),
    )


def parameters_of(kind: Kind, given: Mapping[str, Any], model: str | None) -> Any:
    """The parameters of a request, which may name a model (`Kind.with_model`). ValueError as `parse_parameters`, and
    for parameters that do not go together (`Kind.check`)."""
    implied = {} if model is None or kind.train is not None else kind.with_model
    parsed = parse_parameters(kind, {**implied, **given})
    try:
        kind.check(parsed)
    except ValueError as error:
        raise ValueError(f"{kind.name}: {error}") from None
    return parsed


def parse_parameters(kind: Kind, given: dict[str, Any]) -> Any:
    """The kind's parameters from names and values (text from a shell, or Python values). ValueError names the
    parameter that is unknown or out of range, and says what would do."""
    try:
        return parameters.parse(kind.parameters, given)
    except ValueError as error:
        raise ValueError(f"{kind.name}: {error}") from None
