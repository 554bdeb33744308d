"""The kinds' rows, the tables and the code that stores them agree; and no client waits for torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import pytest

from db import model_versions, results
from db.tables import Base
from nlp_tasks.kind import Row
from nlp_tasks.training_curve import CurvePoint
from workers.kinds import all_kinds

KINDS = all_kinds()

ROWS = sorted({row for kind in KINDS.values() for row in kind.rows}, key=lambda row: row.table)
FIGURES = sorted({row for kind in KINDS.values() for row in kind.figure_rows}, key=lambda row: row.table)
#: Not results: what later jobs need of them.
LISTS = {stage.updates.table for kind in KINDS.values() for stage in kind.stages if stage.updates is not None}
#: Whose the row is: the store writes these, not the kind.
OWNERS = {"job_id", "document_id", "model_version_id"}


@pytest.mark.parametrize("row", [*ROWS, *FIGURES], ids=lambda row: row.__name__)
def test_the_fields_of_a_row_are_the_columns_of_its_table(row: type[Row]) -> None:
    columns = {column.name for column in Base.metadata.tables[row.table].columns}
    assert {field.name for field in fields(row)} == columns - OWNERS


@pytest.mark.parametrize("row", [*ROWS, *FIGURES], ids=lambda row: row.__name__)
def test_the_key_of_a_row_is_the_key_of_its_table_less_the_owner(row: type[Row]) -> None:
    key = [column.name for column in Base.metadata.tables[row.table].primary_key.columns]
    assert list(getattr(row, "key", ())) == [name for name in key if name not in OWNERS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_the_store_knows_whose_each_row_is(row: type[Row]) -> None:
    columns = {column.name for column in Base.metadata.tables[row.table].columns}
    owner = "job_id" if row.table in results.by_job() else "model_version_id"
    assert row.table in results.by_job() | results.by_model_version()
    assert {"document_id", owner} <= columns


def test_every_result_table_belongs_to_a_kind() -> None:
    assert {row.table for row in ROWS} | LISTS == results.by_job() | results.by_model_version()
    assert {"neighbour_list"} == LISTS


def test_every_table_of_figures_belongs_to_a_kind_that_trains() -> None:
    assert {row.table for row in (*FIGURES, CurvePoint)} == model_versions.figure_tables()
    for kind in KINDS.values():
        assert bool(kind.figure_rows) == (kind.figures is not None)
        assert kind.figures is None or kind.train is not None


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_either_works_on_documents_or_trains(kind) -> None:  # type: ignore[no-untyped-def]
    assert bool(kind.stages) != (kind.train is not None)
    kind.parameters()
    if kind.model_from is not None:
        assert KINDS[kind.model_from].train is not None


@pytest.mark.parametrize("module", ["nlp_tasks.registry", "docmill.client", "scheduler.loop", "db.tables"])
def test_importing_it_loads_neither_torch_nor_gensim(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'gensim', 'numpy'}))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
