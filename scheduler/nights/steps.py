"""The steps of a night in their order, and what each waits for.

A step waits for the sources and the extraction; a step that uses a model for the training of that model; one that reads
another's results for that; an action for every step before it. `after` names more. A step does not wait for what it
does not need: such steps run side by side.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nlp_tasks.kind import JobInput, Kind
from scheduler.nights import actions
from scheduler.nights.definition import Definition, StepTable
from workers import kinds

#: The steps that sources have, unless the file says more about them.
ADD, EXTRACT = "add", "extract"
#: What [report] stands for: a last step of this name, which does the other.
REPORT, DIGEST = "report", "digest"
#: What documents can be ordered by, and its column.
ORDERS = {"added": "added_at", "size": "body_chars", "key": "key"}


class StepError(ValueError):
    """A step cannot be as it is written; `place` is the way to the key in the step's table."""

    def __init__(self, words: str, *place: str | int, step: int = 0) -> None:
        super().__init__(words)
        self.place = place
        self.step = step

    @property
    def key(self) -> str:
        return str(self.place[0]) if self.place else "do"


@dataclass(frozen=True)
class Step:
    """One step."""

    #: From 1.
    number: int
    name: str
    #: A kind of jobs, or an action.
    action: str
    collection: str
    table: StepTable
    #: The numbers of the steps that it waits for.
    waits_for: tuple[int, ...] = ()
    #: Of those, the ones that must not have failed.
    needs: tuple[int, ...] = ()

    @property
    def kind(self) -> Kind | None:
        return kinds.all_kinds().get(self.action) if self.action not in actions.ACTIONS else None

    @property
    def trains(self) -> str | None:
        """The name of the model that it makes."""
        kind = self.kind
        return (self.table.model or self.collection) if kind is not None and kind.train is not None else None

    @property
    def model_name(self) -> str | None:
        """The name of the model that it uses, as far as the file says it."""
        return self.table.model.partition("@")[0] if self.table.model else None

    @property
    def judges(self) -> JobInput | None:
        """The earlier step's job that it reads."""
        kind = self.kind
        if kind is None:
            return None
        inputs = kind.inputs(kinds.parameters_of(kind, self.table.parameters, self.table.model))
        return next((one for one in inputs if isinstance(one, JobInput)), None)

    @property
    def meaning(self) -> dict[str, Any]:
        """What it does, however it is written."""
        told = self.table.model_dump(mode="json") | {"name": self.name, "waits_for": list(self.waits_for)}
        if self.kind is not None:
            told["parameters"] = asdict(
                kinds.parameters_of(self.kind, self.table.parameters, self.table.model)
            )
        return told


def kind_name(do: str) -> str:
    """ "train similarity" is the kind train-similarity."""
    words = do.split()
    return f"train-{words[1]}" if len(words) == 2 and words[0] == "train" else do


def order_of(value: str) -> tuple[str, bool]:
    """ "published desc" as ("published", True). StepError if it is no order."""
    words = value.split()
    if not words or len(words) > 2 or (len(words) == 2 and words[1].lower() not in ("asc", "desc")):
        raise StepError(f'{value!r} is no order: write "published desc" or "size asc"', "value")
    return words[0], len(words) == 2 and words[1].lower() == "desc"


def ordered(told: Definition) -> tuple[Step, ...]:
    """The steps of a file. StepError for a name that comes twice, or an `after` that names no earlier step."""
    tables = list(told.step)
    names = [kind_name(table.do) for table in tables]
    if told.source:
        if EXTRACT not in names:
            tables.insert(0, StepTable(do=EXTRACT))
        if ADD not in names:
            tables.insert(0, StepTable(do=ADD))
    n_implied = len(tables) - len(told.step)
    if told.report is not None:
        tables.append(StepTable(do=DIGEST, name=REPORT, **told.report.model_dump()))
    found: list[Step] = []
    for number, table in enumerate(tables, start=1):
        name = table.name or table.do
        if any(step.name == name for step in found):
            raise StepError(
                f'two steps are named {name!r}: give one of them a name, name = "..."',
                "do",
                step=min(number - n_implied, len(told.step)) - 1,
            )
        step = Step(number, name, kind_name(table.do), table.collection or told.collection, table)
        found.append(_with_waits(step, found, n_implied))
    return tuple(found)


def _with_waits(step: Step, earlier: list[Step], n_implied: int) -> Step:
    by_name = {one.name: one.number for one in earlier}
    for name in step.table.after:
        if name not in by_name:
            raise StepError(
                f"after names {name!r}, which is no earlier step; there are: {', '.join(by_name) or 'none'}",
                "after",
                step=step.number - 1 - n_implied,
            )
    explicit = {by_name[name] for name in step.table.after}
    implied = {one.number for one in earlier if _waits(step, one)}
    return Step(
        step.number,
        step.name,
        step.action,
        step.collection,
        step.table,
        tuple(sorted(explicit | implied)),
        tuple(sorted(explicit)),
    )


def _waits(step: Step, earlier: Step) -> bool:
    if step.kind is None and step.action != ADD:
        return True
    if earlier.action in (ADD, EXTRACT):
        return True
    kind, before = step.kind, earlier.kind
    if kind is None or before is None:
        return False
    judged = step.judges
    if judged is not None and judged.kind == before.name:
        return True
    makes = earlier.trains
    if makes is None or kind.model_from != before.name:
        return False
    return step.model_name is None or step.model_name == makes
