"""State machines of hypothesis over a store, each example over an empty one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from db.store import Store
from tests.conftest import empty


class OverAStore(RuleBasedStateMachine):
    """A machine with a store, which is empty when an example begins."""

    fresh: ClassVar[Callable[[], Store]]

    def __init__(self) -> None:
        super().__init__()
        self.store = type(self).fresh()


def run_on_sqlite(machine: type[OverAStore], template: Path, examples: int, steps: int) -> None:
    """Run it on copies of an empty store, in memory where there is a file system for that."""
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        path = Path(folder) / "docmill.db"
        opened: list[Store] = []

        def fresh() -> Store:
            while opened:
                opened.pop().close()
            for old in Path(folder).glob("docmill.db*"):
                old.unlink()
            shutil.copy(template, path)
            opened.append(Store(f"sqlite:///{path}"))
            return opened[0]

        _run(machine, fresh, examples, steps)
        opened.pop().close()


def run_on_postgres(machine: type[OverAStore], store: Store, examples: int, steps: int) -> None:
    """Run it on one store, whose tables are emptied."""

    def fresh() -> Store:
        empty(store)
        return store

    _run(machine, fresh, examples, steps)


def _run(machine: type[OverAStore], fresh: Callable[[], Store], examples: int, steps: int) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        type(machine.__name__, (machine,), {"fresh": staticmethod(fresh)}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
