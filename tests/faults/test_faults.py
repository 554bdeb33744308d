"""A fault of each sort, on both stores, in the middle of a job. The whole matrix: python -m tests.faults.matrix"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.catalogue import FAULTS
from tests.faults.checkers import Findings
from tests.faults.matrix import fresh
from tests.faults.stack import Stack
from tests.faults.trial import BOTH, Fault, Row, run
from tests.servers import missing_postgres, missing_redis

pytestmark = [pytest.mark.stack, pytest.mark.slow]

QUICK = [
    pytest.param(database, fault, id=f"{fault.name}-{database}")
    for database in BOTH
    for fault in FAULTS
    if database in fault.quick
]


@pytest.fixture(scope="module")
def stacks() -> Iterator[dict[str, Stack]]:
    """A stack for each store, started when its first test asks for it."""
    started: dict[str, Stack] = {}
    yield started
    for stack in started.values():
        stack.stop()


@pytest.mark.parametrize(("database", "fault"), QUICK)
def test_after_the_fault_every_document_has_one_right_outcome(
    stacks: dict[str, Stack], database: str, fault: Fault
) -> None:
    if missing := missing_redis() or (missing_postgres() if database == "postgresql" else None):
        pytest.skip(missing)
    if fault.own_stack is not None:
        _check_on_its_own(database, fault)
        return
    if database not in stacks:
        stacks[database] = fresh(database)  # type: ignore[arg-type]
    try:
        row = run(stacks[database], fault)
    except BaseException:
        # The next test gets a stack that is whole.
        stacks.pop(database).stop()
        raise
    _check(row)


def _check_on_its_own(database: str, fault: Fault) -> None:
    """A fault that needs a stack made for it alone."""
    assert fault.own_stack is not None
    stack = fault.own_stack(database)  # type: ignore[arg-type]
    try:
        _check(run(stack, fault))
    finally:
        stack.stop()


def _check(row: Row) -> None:
    assert row.findings == Findings(), row.findings.words
    assert row.complaint == ""
    assert row.n_faults > 0
