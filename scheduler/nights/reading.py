"""From a TOML file to the night that it means. What is wrong is said with line, key and fix."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nlp_tasks.kind import JobInput, Kind
from nlp_tasks.parameters import describe
from scheduler.nights import actions, definition, steps
from scheduler.nights.actions import Action
from scheduler.nights.definition import Definition, StepTable
from scheduler.nights.lines import Place, line_of, lines_of
from scheduler.nights.steps import Step, StepError
from workers import kinds


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file."""

    line: int
    words: str


class NightFileError(ValueError):
    """The file cannot be used; `problems` has all that is wrong."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        first, n = problems[0], len(problems) - 1
        more = f" (and {n} more: `docmill night check {name}` lists them)" if n else ""
        super().__init__(f"{name}, line {first.line}: {first.words}{more}")
        self.problems = problems


@dataclass(frozen=True)
class NightFile:
    """A night's file, understood."""

    text: str
    #: Relative paths start from here.
    folder: Path
    definition: Definition
    steps: tuple[Step, ...]

    @property
    def digest(self) -> str:
        """Of what it means: the same for another order of keys, a comment, a parameter that is written otherwise."""
        meaning = self.definition.model_dump(mode="json", exclude={"step"})
        meaning["step"] = [step.meaning for step in self.steps]
        return hashlib.sha256(json.dumps(meaning, sort_keys=True, default=str).encode()).hexdigest()


def read(path: Path) -> NightFile:
    """A file. OSError if it cannot be read, NightFileError if it cannot be used."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: it is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    return parse(text, path.resolve().parent, str(path))


def parse(text: str, folder: Path, name: str = "the night's file") -> NightFile:
    """The same, of a text whose relative paths start from `folder`."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NightFileError(name, [_syntax(error, text)]) from None
    actions.load_all()
    places = lines_of(text)
    try:
        told = Definition.model_validate(found)
    except ValidationError as error:
        raise NightFileError(name, [_problem(one, places, Definition) for one in error.errors()]) from None
    problems = list(_step_problems(told, places))
    if problems:
        raise NightFileError(name, problems)
    try:
        ordered = steps.ordered(told)
    except StepError as error:
        line = line_of(places, ("step", error.step, error.key))
        raise NightFileError(name, [Problem(line, str(error))]) from None
    return NightFile(text, folder, told, ordered)


def schema() -> dict[str, Any]:
    """The JSON Schema of a night's file, for editors."""
    actions.load_all()
    found = definition.schema()
    step = found["$defs"]["StepTable"]
    own: dict[str, list[Any]] = {}
    for action in actions.ACTIONS.values():
        told = action.keys.model_json_schema() if action.keys is not None else {}
        found["$defs"] |= told.get("$defs", {})
        for key, value in told.get("properties", {}).items():
            own.setdefault(key, []).append(
                value | {"description": f"{action.name}: {value.get('description', '')}"}
            )
    step["properties"] |= {key: each[0] if len(each) == 1 else {"anyOf": each} for key, each in own.items()}
    step["additionalProperties"] = False
    return found


def _syntax(error: tomllib.TOMLDecodeError, text: str) -> Problem:
    words = str(error)
    message, _, place = words.partition(" (at ")
    line = text.count("\n") + 1
    if place.startswith("line "):
        line = int(place.removeprefix("line ").split(",")[0])
    return Problem(line, f"this is no TOML: {message}")


def _problem(error: ErrorDetails, places: dict[Place, int], model: type[BaseModel]) -> Problem:
    place = tuple(error["loc"])
    line = line_of(places, place)
    key = _shown(place)
    if error["type"] == "extra_forbidden":
        return Problem(line, f"{key}: there is no such key{_near(str(place[-1]), _keys(model, place[:-1]))}")
    if error["type"] == "missing":
        return Problem(line, f"{key} is missing{_example(model, place)}")
    words = error["msg"].removeprefix("Value error, ").replace("Input should be", "it must be")
    return Problem(
        line, f"{key}: {words}, not {_short(error['input'])}" if "must be" in words else f"{key}: {words}"
    )


def _shown(place: Place) -> str:
    """ "step 2, parameters.k" """
    words: list[str] = []
    for part in place:
        if isinstance(part, int) and words:
            words[-1] += f" {part + 1}"
        elif words and not words[-1][-1:].isdigit():
            words[-1] += f".{part}"
        else:
            words.append(str(part))
    return ", ".join(words) or "the file"


def _table_model(model: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """The model of the table at a place."""
    for part in place:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = [one for one in _types(field.annotation) if _is_table(one)] if field is not None else []
        if not inner:
            return None
        model = inner[0]
    return model


def _is_table(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, BaseModel)


def _types(annotation: Any) -> Iterable[Any]:
    from typing import get_args

    yield annotation
    for one in get_args(annotation):
        yield from _types(one)


def _keys(model: type[BaseModel], place: Place) -> list[str]:
    table = _table_model(model, place)
    return list(table.model_fields) if table is not None else []


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f": did you mean {near[0]!r}?"
    return f"; there are {', '.join(known)}" if known else ""


def _example(model: type[BaseModel], place: Place) -> str:
    table = _table_model(model, place[:-1])
    field = table.model_fields.get(str(place[-1])) if table is not None else None
    if field is None:
        return ""
    about = f" ({field.description})" if field.description else ""
    example = f': {place[-1]} = "{field.examples[0]}"' if field.examples else ""
    return f"{about}{example}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


# --- what a step does --------------------------------------------------------------------------------------------


def _step_problems(told: Definition, places: dict[Place, int]) -> Iterable[Problem]:
    if told.report is not None and steps.DIGEST not in actions.ACTIONS:
        yield Problem(line_of(places, ("report",)), "report needs the package docmill: import docmill first")
    for number, step in enumerate(told.step):
        try:
            _check_step(step)
        except StepError as error:
            place = ("step", number, *error.place)
            yield Problem(line_of(places, place), f"step {number + 1} ({step.do}): {error}")


def _check_step(step: StepTable) -> None:
    """StepError for what the step's kind or action does not accept."""
    if step.do in actions.ACTIONS:
        _check_action(step, actions.ACTIONS[step.do])
        return
    name = steps.kind_name(step.do)
    every = {*kinds.all_kinds(), *actions.ACTIONS}
    if name not in kinds.all_kinds():
        words = [one.replace("train-", "train ", 1) for one in every]
        raise StepError(f"there is no such step{_near(step.do, sorted(words))}", "do")
    kind = kinds.find(name)
    for other in step.others:
        raise StepError(f"there is no key {other!r}{_near(other, list(StepTable.model_fields))}", other)
    for parameter in step.parameters:
        known = [one.name for one in describe(kind.parameters)]
        if parameter not in known:
            raise StepError(
                f"there is no parameter {parameter!r}{_near(parameter, known)}", "parameters", parameter
            )
    try:
        kinds.parameters_of(kind, step.parameters, step.model)
    except ValueError as error:
        wrong = next((one for one in step.parameters if f" {one} " in f"{error}"), None)
        told = str(error).removeprefix(f"{name}: ")
        raise StepError(told, "parameters", *([wrong] if wrong else [])) from None
    if step.when is not None and kind.train is None:
        raise StepError("when is for a training: leave it out", "when")
    if step.when is not None and step.when.drift is not None and not kind.labelled_only:
        raise StepError(
            f"drift compares labels, and {kind.name} trains a model that gives none: leave it out", "when"
        )
    if step.model is not None and kind.train is None and kind.model_from is None:
        raise StepError(f"{kind.name} uses no model: leave it out", "model")
    for key, why in _without_effect(kind, step):
        if key in step.model_fields_set:
            raise StepError(f"{key} has no effect here, since {why}: leave it out", key)
    if step.value is not None:
        steps.order_of(step.value)


def _without_effect(kind: Kind, step: StepTable) -> Iterable[tuple[str, str]]:
    """Keys that a step of this kind would ignore."""
    if kind.train is not None:
        yield from ((key, "a training takes all its documents") for key in ("value", "retry"))
    elif any(
        isinstance(one, JobInput)
        for one in kind.inputs(kinds.parameters_of(kind, step.parameters, step.model))
    ):
        yield from ((key, "it takes what the step before did") for key in ("where", "value", "retry"))


#: Keys of steps that are no kind of jobs.
_OF_ACTIONS = ("do", "name", "collection", "after")


def _check_action(step: StepTable, action: Action) -> None:
    """StepError for a key that the action has not, or for a value that it does not accept."""
    own = list(action.keys.model_fields) if action.keys is not None else []
    if step.collection is not None and action.name == steps.ADD:
        raise StepError("the sources are added to the night's collection: leave it out", "collection")
    for key in step.model_fields_set:
        if key in StepTable.model_fields and key not in _OF_ACTIONS:
            raise StepError(f"{key} is for a kind of jobs: leave it out", key)
    for key in step.others:
        if key not in own:
            raise StepError(f"there is no key {key!r}{_near(key, [*_OF_ACTIONS, *own])}", key)
    if action.keys is None:
        return
    try:
        action.keys.model_validate(step.others)
    except ValidationError as error:
        problem = _problem(error.errors()[0], {}, action.keys)
        place = error.errors()[0]["loc"][:1]
        raise StepError(problem.words.removeprefix("the file: "), *place) from None


__all__ = ["NightFile", "NightFileError", "Problem", "definition", "parse", "read"]
