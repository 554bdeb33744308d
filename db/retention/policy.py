"""What may be pruned, as people write it in a TOML file. Every section is optional: what has none is kept."""

from __future__ import annotations

import difflib
import re
import tomllib
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from db.states import ENDED

_UNITS = {"min": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(min|h|d|w)")


def _seconds(value: Any) -> float:
    found = _AGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('write a number and a unit: "90 d", "12 h", "30 min" or "2 w"')
    return float(found[1]) * _UNITS[found[2]]


def _ended(value: Any) -> Any:
    if not isinstance(value, list) or not value or not set(value) <= {str(state) for state in ENDED}:
        raise ValueError('write states of jobs that have ended: ["finished"], ["cancelled"] or both')
    return tuple(value)


Age = Annotated[float, BeforeValidator(_seconds)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    #: Seconds.
    older_than: Age
    #: This many stay, the newest, however old they are.
    keep_last: int = Field(default=1, ge=1)


class OfJobs(_Section):
    """For jobs that have ended: their age is counted from their end; the newest stay of each kind, model and
    collection."""

    states: Annotated[tuple[str, ...], BeforeValidator(_ended)] = tuple(str(state) for state in ENDED)
    #: Of these kinds of jobs only; None for all.
    kinds: tuple[str, ...] | None = None


class OfVersions(_Section):
    """For versions of documents (their age is counted from the next version), and of models."""


class OfRuns(_Section):
    """For runs of schedules; the newest stay of each schedule."""


class OfNights(_Section):
    """For nights that have ended, and plans that no night has used; the newest stay of each name."""


class OfAge(BaseModel):
    """For what is pruned by its age alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Seconds.
    older_than: Age


class OfVectors(OfAge):
    """For vectors of model versions that no alias and no job needs: the age of the version."""


class Policy(BaseModel):
    """A whole policy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Seconds between two passes of the schedulers.
    every: Age = 86_400.0
    #: While jobs run, pruning takes at most this share of the time.
    share: float = Field(default=0.1, gt=0, le=1)
    outcomes: OfJobs | None = None
    chunks: OfJobs | None = None
    documents: OfVersions | None = None
    vectors: OfVectors | None = None
    models: OfVersions | None = None
    runs: OfRuns | None = None
    nights: OfNights | None = None
    notifications: OfAge | None = None
    exports: OfAge | None = None
    batches: OfAge | None = None


def parse(text: str, where: str) -> Policy:
    """A policy from its file. ValueError names the file, the line or key, and what to write."""
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where}: this is not TOML: {error}") from None
    if not read:
        raise ValueError(
            f"{where}: the policy is empty: write a section such as [outcomes]; docs/retention.md has all"
        )
    try:
        return Policy.model_validate(read)
    except ValidationError as error:
        raise ValueError("; ".join(_words(where, text, each) for each in error.errors())) from None


def words(rule: str, age: float) -> str:
    """ "outcomes older than 90 d": what a row of table pruned says."""
    unit, seconds = next(
        (
            (unit, n)
            for unit, n in sorted(_UNITS.items(), key=lambda u: -u[1])
            if age % n == 0 and unit != "w"
        ),
        ("min", 60),
    )
    return f"{rule} older than {age / seconds:g} {unit}"


def _words(where: str, text: str, error: Any) -> str:
    """One error of pydantic, with the line of its key."""
    path = [str(part) for part in error["loc"]]
    place = f"{where}:{_line(text, path)}: {'.'.join(path)}"
    if error["type"] == "extra_forbidden":
        known = _known(path[:-1])
        close = difflib.get_close_matches(path[-1], known, n=1)
        return f"{place}: there is no such key; " + (
            f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
        )
    if error["type"] == "missing":
        return f'{place} is missing: write {path[-1]} = "90 d"'
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"


def _known(path: list[str]) -> list[str]:
    model: type[BaseModel] = Policy
    if path:
        annotation = Policy.model_fields[path[0]].annotation
        model = next(part for part in annotation.__args__ if part is not type(None))  # type: ignore[union-attr]
    return list(model.model_fields)


def _line(text: str, path: list[str]) -> int:
    """The line of a key; of its section, if the key is missing."""
    section, line = "", 1
    for number, written in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*([\w-]+)\s*\]", written):
            section = header[1]
            if section == path[0]:
                line = number
        elif (key := re.match(r"\s*([\w-]+)\s*=", written)) and [*filter(None, [section]), key[1]] == path[
            :2
        ]:
            return number
    return line
