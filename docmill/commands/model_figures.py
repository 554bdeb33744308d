"""A model's figures in words: the most important on one line, and all of them, one on each line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from db import held_out
from nlp_tasks.kind import IMPORTED

#: The number of metrics that are shown of a kind without a headline, in the order of their names.
SHOWN = 2
#: The figures of a model that was imported.
IMPORTED_FIGURES = {"dimensions": "{:.0f} dimensions", "max_tokens": "{:,.0f} tokens"}
#: Characters for the name of a figure.
NAME_WIDTH = 24


def in_short(version: dict[str, Any]) -> str:
    """ "accuracy 0.917, macro F1 0.912; 24 held out: too few to tell" """
    metrics = version["metrics"]
    forms = _headline(version["kind"]) or {name: f"{name} {{:.4g}}" for name in sorted(metrics)[:SHOWN]}
    told = ", ".join(form.format(metrics[name]) for name, form in forms.items() if name in metrics)
    if "n_held_out" not in metrics:
        return told
    few = ": too few to tell" if held_out.are_few(metrics) else ""
    return f"{told}; {metrics['n_held_out']:,.0f} held out{few}"


def first_of(version: dict[str, Any]) -> str | None:
    """The name of its most important figure; None if it has none."""
    names = (*_headline(version["kind"]), *sorted(version["metrics"]))
    return next((name for name in names if name in version["metrics"]), None)


def _headline(kind: str) -> Mapping[str, str]:
    """Empty for a kind whose module is no longer configured."""
    from workers.kinds import all_kinds

    if kind == IMPORTED:
        return IMPORTED_FIGURES
    known = all_kinds().get(kind)
    return known.headline if known is not None else {}


def gate_in_short(gate: dict[str, Any] | None) -> str:
    """ "refused beside version 1: neighbours_kept 0.2, at least 0.4" """
    if gate is None:
        return ""
    missed = ", ".join(f"{_named(f)} {_bar(f)}" for f in gate["figures"] if not f["passed"])
    return f"{_verdict(gate)}: {missed}" if missed else _verdict(gate)


def in_full(version: dict[str, Any]) -> Iterator[str]:
    """Lines of at most 80 columns: the version, a warning if too few documents were held out, each figure, the gate."""
    aliases = f" ({', '.join(version['aliases'])})" if version["aliases"] else ""
    when = version["created_at"].astimezone().strftime("%Y-%m-%d %H:%M:%S")
    yield f"{version['model']}@{version['version']}{aliases}, {version['kind']}, {when}"
    if version["kind"] == IMPORTED:
        yield _origin(version["parameters"])
    if doubt := held_out.doubt(version["metrics"]):
        yield doubt
    for name, value in sorted(version["metrics"].items()):
        yield f"  {name:{NAME_WIDTH}} {_number(value)}"
    if version["gate"] is not None:
        yield f"gate: {_verdict(version['gate'])}"
        for figure in version["gate"]["figures"]:
            missed = "" if figure["passed"] else ": missed"
            yield f"  {figure['name']:{NAME_WIDTH}} {_number(figure['value']):10} {_bar(figure)}{missed}".rstrip()


def _origin(parameters: Mapping[str, Any]) -> str:
    part, prompt = parameters.get("part", "."), parameters.get("prompt")
    where = f", {part}" if part != "." else ""
    return f"from {parameters.get('source')}{where}{f', prompt {prompt!r}' if prompt else ''}"


def _verdict(gate: dict[str, Any]) -> str:
    beside = f" beside version {gate['beside_version']}" if gate["beside_version"] else ""
    return f"{'passed' if gate['passed'] else 'refused'}{beside}"


def _named(figure: dict[str, Any]) -> str:
    return f"{figure['name']} {_number(figure['value'])}"


def _bar(figure: dict[str, Any]) -> str:
    bars = (("at least", figure["at_least"]), ("at most", figure["at_most"]))
    return " and ".join(f"{words} {_number(bar)}" for words, bar in bars if bar is not None)


def _number(value: float) -> str:
    """Counts as whole numbers, others with four digits."""
    return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1000 else f"{value:.4g}"
