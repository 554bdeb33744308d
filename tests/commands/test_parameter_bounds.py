"""Whatever is given for a parameter of any kind: one line that refuses it, or a job that runs."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from nlp_tasks.kind import Kind
from nlp_tasks.registry import KINDS
from tests.commands.conftest import Shell
from tests.db.builders import sql
from workers import kinds

VALUES = (
    "1e20", "1e308", "1e400", "9" * 30, "9" * 5000, "-1", "-1e20", "0", "-0.0", "1e-300", "5e-324", "0.5",
    "nan", "inf", "-inf", "NaN", "Infinity", "", " ", "abc", "None", "true", "0x10", "x" * 100_000,
    "\x1b[31m", "a\nb",
)  # fmt: skip
EVERY = [(kind, field.name) for kind in KINDS.values() for field in fields(kind.parameters)]
TEXTS = (
    "the striker scored. A goal fell.",
    "a penalty in the cup match",
    "은행이 금리를 올렸다",
    "주가와 채권이 내렸다",
)
LABELS = ("sport", "sport", "money", "money")
IDS = [f"{kind.name}-{name}" for kind, name in EVERY]


@pytest.mark.parametrize(("kind", "name"), EVERY, ids=IDS)
def test_a_value_is_refused_in_a_line_or_kept_in_bounds(kind, name):
    for value in VALUES:
        kept = _kept(kind, name, value)
        if isinstance(kept, ValueError):
            assert "\n" not in str(kept), value
            assert len(str(kept)) < 600, value
        elif isinstance(kept, int | float):
            assert abs(kept) < 2**63, f"{value[:40]} is kept as {kept}"
        else:
            assert len(kept) <= 100_000


@pytest.fixture(scope="module")
def accepted() -> list[tuple[str, str, str]]:
    """(kind, parameter, value) of the least and the greatest number that is accepted for each parameter."""
    found = []
    for kind, name in EVERY:
        kept = {}
        for value in VALUES:
            kept[_kept(kind, name, value)] = value
        numbers = sorted(number for number in kept if isinstance(number, int | float))
        found += [
            (kind.name, name, kept[each]) for each in {*numbers[:1], *numbers[-1:]} - {_default(kind, name)}
        ]
    return found


def _kept(kind: Kind, name: str, value: str) -> Any:
    """The parameter as it is read, or the ValueError."""
    try:
        return getattr(kinds.parse_parameters(kind, {name: value}), name)
    except ValueError as refused:
        return refused


def _default(kind: Kind, name: str) -> Any:
    return next(field.default for field in fields(kind.parameters) if field.name == name)


def test_a_number_that_is_accepted_runs(shell: Shell, accepted: list[tuple[str, str, str]]) -> None:
    shell.texts(*[f"{text} {i}" for i in range(8) for text in TEXTS], labels=LABELS * 8)
    for kind in ("classify", "similarity"):
        shell.work(int(shell("train", kind, "--collection", "inbox", "--model", kind, "--json").json["job"]))
    summaries = shell.done("summarize", "--collection", "inbox")
    runnable = [
        each
        for each in accepted
        if each[0] not in ("train-summarizer", "train-entities", "train-gazetteer", "generate")
    ]
    assert len(runnable) > 10
    for kind, name, value in runnable:
        words = ["--collection", "inbox", "-p", f"{name}={value}"]
        if kind == "evaluate":
            words += ["-p", f"job={summaries}"] if name != "job" else []
        verb = ("submit", kind)
        if kind.startswith("train-"):
            verb = ("train", kind.removeprefix("train-"))
            words += ["--model", kind.removeprefix("train-")]
        said = shell(*verb, *words, "--json", status=None)
        if said.status:
            assert (kind, name, said.status) == ("evaluate", "job", said.status), said
            continue
        job = shell.work(int(said.json["job"]))
        failed = sql(
            shell.store, f"SELECT COUNT(*) FROM outcome WHERE job_id = {job} AND error_code IS NOT NULL"
        )
        assert failed == [(0,)], (kind, name, value)
