"""The page of a model version whose kind has none of its own: its figures, its gate, what it was trained with, and the
other versions of the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from docmill.pages import curves, documents
from docmill.pages.markup import Markup, element, joined
from docmill.pages.plain_tables import STYLE, section, table

#: Rows of a table of figures that are shown.
MOST_ROWS = 200
_NOT_FIGURES = frozenset(
    ["id", "model", "version", "kind", "aliases", "metrics", "gate", "parameters", "created_at", "path", "pruned_at",
     "figures", "told", "model_curve"]
)  # fmt: skip


def of_version(version: dict[str, Any], every: Sequence[dict[str, Any]]) -> str:
    """The page, from a version and all versions of its model, as `docmill models show --json` has them."""
    aliases = f", {', '.join(version['aliases'])}" if version["aliases"] else ""
    facts = f"{version['kind']}, {version['created_at']:%Y-%m-%d %H:%M} UTC{aliases}"
    parts = [_figures(version), _training(version), *_tables(version), _others(every)]
    return "".join(
        documents.page(f"{version['model']}@{version['version']}", facts, parts, STYLE + curves.STYLE)
    )


def _training(version: dict[str, Any]) -> Markup:
    points = version.get("model_curve", [])
    return section("Training", curves.charts(points)) if points else Markup("")


def _figures(version: dict[str, Any]) -> Markup:
    """Its metrics, its gate and its parameters."""
    from db import held_out

    metrics = [{"figure": name, "value": value} for name, value in sorted(version["metrics"].items())]
    asked = [{"parameter": name, "value": value} for name, value in sorted(version["parameters"].items())]
    doubt = held_out.doubt(version["metrics"])
    return joined(
        section("Figures", element("p", doubt) if doubt else "", table(metrics, ("figure", "value"))),
        _gate(version["gate"]),
        section("Parameters", table(asked, ("parameter", "value"))),
    )


def _gate(gate: dict[str, Any] | None) -> Markup:
    from docmill.commands.model_figures import gate_in_short

    if gate is None:
        return Markup("")
    columns = ("name", "value", "at_least", "at_most", "passed")
    return section("Gate", element("p", gate_in_short(gate)), table(gate["figures"], columns))


def _tables(version: dict[str, Any]) -> Iterator[Markup]:
    """Its rows in tables of figures, if it has some."""
    for name, rows in version.items():
        if name not in _NOT_FIGURES and isinstance(rows, list) and rows:
            more = element("p", f"the first {MOST_ROWS}", class_="facts") if len(rows) > MOST_ROWS else ""
            yield section(name.replace("_", " "), table(rows[:MOST_ROWS], tuple(rows[0])), more)


def _others(every: Sequence[dict[str, Any]]) -> Markup:
    from docmill.commands.model_figures import gate_in_short, in_short

    rows = [
        {
            "version": one["version"], "used as": ", ".join(one["aliases"]) or None, "figures": in_short(one) or None,
            "gate": gate_in_short(one["gate"]) or None, "trained": one["created_at"],
        }
        for one in every
    ]  # fmt: skip
    return section("Versions", table(rows, ("version", "used as", "figures", "gate", "trained")))
