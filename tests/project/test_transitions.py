"""The states of jobs and chunks change in db.jobs and db.chunks alone; what their headers name is there."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from db import chunks, jobs
from db.states import ChunkState, JobState

ROOT = Path(__file__).parents[2]
PACKAGES = ("db", "workers", "scheduler", "docmill")
#: The statements that write rows, and the class itself.
WRITERS = {"insert", "update", "Job", "Chunk"}


def _written(path: Path) -> Iterator[tuple[str, int]]:
    """(name, line) of each place that writes a row of Job or Chunk, or sets a state."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WRITERS:
            table = ast.unparse(node.args[0]) if node.args else node.func.id
            if table.removesuffix(".__table__") in ("Job", "Chunk"):
                yield table, node.lineno
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Attribute) and target.attr == "state":
                    yield ast.unparse(target), node.lineno


def test_rows_of_jobs_and_chunks_are_written_in_their_own_packages() -> None:
    elsewhere = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if next(_written(path), None) is not None
    }
    own = {path for path in elsewhere if path.startswith(("db/jobs/", "db/chunks/"))}
    # The note and the model of a training job, whose state stays; the states of nights and of their steps.
    assert elsewhere - own == {"db/model_versions.py", "scheduler/nights/advancing.py"}
    assert {"db/jobs/changing.py", "db/chunks/claims.py", "db/chunks/deaths.py"} <= own


def test_model_versions_change_no_state() -> None:
    source = (ROOT / "db/model_versions.py").read_text(encoding="utf-8")
    assert not re.search(r"\bstate\b\s*=|JobState", source)


@pytest.mark.parametrize("package", [jobs, chunks], ids=["jobs", "chunks"])
def test_the_header_names_functions_and_states_that_exist(package: object) -> None:
    header = inspect.getdoc(package) or ""
    listed = header[header.index("    cutting" if package is chunks else "    submitting") :]
    columns = [column for line in listed.splitlines() for column in re.split(r" {2,}", line.strip())]
    lists = [column.split(", ") for column in columns if all(map(str.isidentifier, column.split(", ")))]
    names = {name for found in lists for name in found}
    missing = {name for name in names if not hasattr(package, name)}
    assert len(names) >= 6
    assert not missing, f"the header names {missing}, which are not there"
    states = set(JobState) if package is jobs else set(ChunkState)
    assert {state for state in states if state not in header} == set()
