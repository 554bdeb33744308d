"""What steps do that are no kind of jobs: a name, the keys of its table, and a function.

An action runs in the scheduler that holds the night. It is run again if that scheduler dies: doing it twice must leave
the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from db.store import Store
    from scheduler.nights.definition import StepTable


@dataclass(frozen=True)
class Setting:
    """What an action is called with."""

    store: Store
    night_id: int
    plan_id: int
    #: The step's number.
    step: int
    #: Of the night.
    name: str
    collection: str
    #: The night's local time: {date} in a path is its date.
    began_at: datetime
    #: Relative paths start from here.
    folder: Path
    #: The keys of the step's table that are the action's own.
    keys: Mapping[str, Any]
    #: Call it now and then during long work: it keeps the night. It raises StoppedError when the night has to stop.
    beat: Callable[[], None]


class StoppedError(Exception):
    """The night is over, or somebody else has it: stop."""


@dataclass(frozen=True)
class Action:
    """A step that is no kind of jobs."""

    name: str
    #: One line for the docs.
    summary: str
    #: Does it; returns a line for people.
    run: Callable[[Setting], str]
    #: Raises StepError for a table that it does not accept.
    check: Callable[[StepTable], None] = field(default=lambda table: None)  # noqa: ARG005
    #: It tells what the night did: it is also run when the time of the night is over, and when a step has failed.
    tells: bool = False


#: Modules that register an action when they are imported.
MODULES = ("scheduler.nights.adding",)
#: By name; complete once `load_all` was called.
ACTIONS: dict[str, Action] = {}


def register(action: Action) -> None:
    """Make an action known. Its name must be no kind's."""
    ACTIONS[action.name] = action


def load_all() -> None:
    """Register docmill's own actions."""
    for module in MODULES:
        import_module(module)
