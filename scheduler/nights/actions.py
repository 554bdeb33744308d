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
    from pydantic import BaseModel
    from sqlalchemy.orm import Session

    from db.store import Store


@dataclass(frozen=True)
class Setting:
    """What an action is called with."""

    store: Store
    night_id: int
    plan_id: int
    #: The step's number and name.
    step: int
    step_name: str
    #: Of the night.
    name: str
    collection: str
    #: The run of a schedule that the night is.
    run_id: int | None
    #: When the night was due, in its time zone: {date} in a path is its date.
    due_at: datetime
    #: Relative paths start from here.
    folder: Path
    #: The keys of the step's table that are the action's own.
    keys: Mapping[str, Any]
    #: Call it now and then during long work: it keeps the night. It raises StoppedError when the night has to stop.
    beat: Callable[[], None]
    #: What is done in the transaction in which the step ends. ConflictError if somebody else has done it since.
    at_end: list[Callable[[Session], None]] = field(default_factory=list)

    def path(self, to: str) -> Path:
        """A file to write, with {date} and {time} filled in: the same whenever and however often the step runs."""
        filled = to.replace("{date}", f"{self.due_at:%Y-%m-%d}").replace("{time}", f"{self.due_at:%H%M%S}")
        return self.folder / filled


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
    #: The model of its own keys; without one it has none.
    keys: type[BaseModel] | None = None
    #: A line for the plan: what it will do.
    note: Callable[[Mapping[str, Any]], str | None] = field(default=lambda keys: None)  # noqa: ARG005
    #: It tells what the night did: it is also run when the time of the night is over, and when a step has failed.
    tells: bool = False


#: Modules that register an action when they are imported. Higher layers add theirs with `provide`.
MODULES = ["scheduler.nights.adding", "scheduler.nights.exporting"]
#: By name; complete once `load_all` was called.
ACTIONS: dict[str, Action] = {}


def register(action: Action) -> None:
    """Make an action known. Its name must be no kind's."""
    ACTIONS[action.name] = action


def provide(module: str) -> None:
    """A further module that registers an action. It is imported when a night's file is read."""
    if module not in MODULES:
        MODULES.append(module)


def load_all() -> None:
    """Register docmill's own actions."""
    for module in MODULES:
        import_module(module)
