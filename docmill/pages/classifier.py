"""A classifier's version as one HTML file: its figures in numbers and charts. Nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from db import held_out
from docmill.pages import charts, curves
from docmill.pages.markup import Markup, element, joined
from docmill.pages.registry import Table, VersionPage

#: A terminal shows the most frequent confusions, at most this many.
CONFUSIONS = 10

#: Metrics shown large, in this order, with how each is written.
LARGE = {
    "accuracy": ("accuracy", "{:.3f}"),
    "micro_f1": ("micro F1", "{:.3f}"),
    "macro_f1": ("macro F1", "{:.3f}"),
    "calibration_error": ("calibration error", "{:.3f}"),
    "n_held_out": ("held-out documents", "{:,.0f}"),
    "documents_per_second": ("documents a second", "{:,.0f}"),
}

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #66707f; --line: #d9dee6; --paper: #fff; --card: #f5f7fa;
  --bar: #7aa7e0; --right: #2f6fc1; --wrong: #d9632b; --precision: #1c2330; --recall: #d9632b }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --soft: #98a3b3; --line: #38414f; --paper: #14181f;
  --card: #1d232d; --bar: #3f6ea8; --right: #5b9bea; --wrong: #ef8350; --precision: #e8ecf2; --recall: #ef8350 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  padding: 2rem 1.5rem 4rem; max-width: 60rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2.4rem 0 .4rem }
p { color: var(--soft); margin: .2rem 0 .8rem } .tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0 }
.tile { background: var(--card); border-radius: 8px; padding: .7rem 1.1rem; min-width: 7rem }
.tile b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums } .tile span { color: var(--soft) }
.scroll { overflow-x: auto } .doubt { color: var(--wrong) }
.narrow { display: none }
@media (max-width: 46rem) { .wide { display: none } .narrow { display: block } body { padding: 1.2rem 1rem 3rem }
  .tile { flex: 1 0 6rem; padding: .6rem .8rem } }
svg { display: block } .fits svg, .narrow svg { max-width: 100%; height: auto }
svg text { font-size: 12px; fill: var(--ink) }
svg .name, svg .count { text-anchor: end } svg .tick { text-anchor: middle; fill: var(--soft) }
svg .cell { text-anchor: middle } svg .strong { text-anchor: middle; fill: var(--paper); font-weight: 600 }
svg .track { fill: var(--card) } svg .bar { fill: var(--bar) } svg .grid { stroke: var(--line) }
svg .frame { fill: none; stroke: var(--line) } svg .right, svg .dot { fill: var(--right) }
svg .dot { fill-opacity: .75 } svg .wrong { fill: var(--wrong) }
svg .diagonal { stroke: var(--soft); stroke-dasharray: 4 4 }
svg .precision { fill: var(--precision) } svg .recall { fill: var(--recall) }
.key { display: inline-block; width: .8rem; height: .8rem; vertical-align: -.1rem; margin: 0 .3rem 0 .9rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
td, th { padding: .25rem .9rem .25rem 0; text-align: left; border-bottom: 1px solid var(--line) }
"""


def page(version: dict[str, Any], versions: Sequence[dict[str, Any]]) -> str:
    """The page of one version, with a table of all versions."""
    name = f"{version['model']}@{version['version']}"
    metrics = version["metrics"]
    arch = version["parameters"].get("arch", "")
    when = version["created_at"].strftime("%Y-%m-%d %H:%M UTC")
    body = joined(
        element("h1", name, *([" · ", ", ".join(version["aliases"])] if version["aliases"] else [])),
        element("p", f"{arch}, trained {when} on {metrics.get('n_train', 0):,.0f} documents"),
        element("div", *_tiles(metrics), class_="tiles"),
        *_doubt(metrics),
        *_by_label(version["model_label_metric"]),
        *_training(version["model_curve"]),
        *_confusion(version["model_confusion"]),
        *_reliability(version["model_reliability"]),
        *_gate(version["gate"]),
        element("h2", "Versions"),
        element("div", _versions(versions), class_="scroll"),
    )
    head = joined(
        element("title", name),
        Markup(
            '<meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/>'
        ),
        # Whatever a label is called, nothing is loaded or run.
        Markup(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>"
        ),
        element("style", Markup(STYLE + curves.STYLE)),
    )
    return (
        "<!DOCTYPE html>\n" + element("html", element("head", head), element("body", body), lang="en") + "\n"
    )


def tables(version: dict[str, Any]) -> Iterator[Table]:
    """The figures by label, and the most frequent confusions."""
    if by_label := version["model_label_metric"]:
        columns = ("label", "precision", "recall", "f1", "support", "n_predicted", "threshold")
        some = columns if any(row["threshold"] is not None for row in by_label) else columns[:-1]
        yield Table(f"{version['model']}@{version['version']}, by label:", by_label, some)
    wrong = [row for row in version["model_confusion"] if row["true_label"] != row["predicted_label"]]
    if wrong:
        wrong.sort(key=lambda row: -row["n_documents"])
        yield Table(
            "most frequent confusions:", wrong[:CONFUSIONS], ("true_label", "predicted_label", "n_documents")
        )


PAGE = VersionPage("train-classify", page, tables)


def _tiles(metrics: dict[str, float]) -> list[Markup]:
    return [
        element("div", element("b", form.format(metrics[name])), element("span", words), class_="tile")
        for name, (words, form) in LARGE.items()
        if name in metrics
    ]


def _doubt(metrics: dict[str, float]) -> list[Markup]:
    words = held_out.doubt(metrics)
    return [element("p", f"{words[0].upper()}{words[1:]}.", class_="doubt")] if words else []


def _training(rows: charts.Rows) -> list[Markup]:
    return [element("h2", "Training"), curves.charts(rows)] if rows else []


def _by_label(rows: charts.Rows) -> list[Markup]:
    if not rows:
        return []
    key = joined(
        "The bar is F1; the mark above it is",
        *_key("precision", "precision"),
        ", the one below",
        *_key("recall", "recall"),
        f". {_first(len(rows))}",
    )
    return [
        element("h2", "By label"),
        element("p", key),
        element("div", charts.by_label(rows), class_="scroll wide"),
        element("div", charts.by_label_narrow(rows), class_="narrow"),
    ]


def _confusion(rows: charts.Rows) -> list[Markup]:
    if not rows:
        return []
    n = len({row["true_label"] for row in rows} | {row["predicted_label"] for row in rows})
    words = f"Rows are the true labels, columns the labels that the model gave. {_first(n)}"
    return [
        element("h2", "Confusion"),
        element("p", words),
        element("div", charts.confusion(rows), class_="scroll"),
    ]


def _reliability(rows: charts.Rows) -> list[Markup]:
    if not rows:
        return []
    words = (
        "How often decisions of each confidence were right. On the dashed line the model is well calibrated; "
    )
    return [
        element("h2", "Calibration"),
        element("p", words, "larger dots stand for more decisions."),
        element("div", charts.reliability(rows), class_="fits"),
    ]


def _gate(gate: dict[str, Any] | None) -> list[Markup]:
    if gate is None:
        return []
    beside = f" beside version {gate['beside_version']}" if gate["beside_version"] else ""
    head = element("tr", *(element("th", word) for word in ("figure", "value", "threshold", "")))
    rows = [element("tr", *(element("td", cell) for cell in _judged(figure))) for figure in gate["figures"]]
    title = element("h2", f"Gate: {'passed' if gate['passed'] else 'refused'}{beside}")
    return [title, element("div", element("table", head, *rows), class_="scroll")]


def _judged(figure: dict[str, Any]) -> tuple[str, str, str, str]:
    """A figure, its value, its threshold, and whether it passed; empty without a threshold."""
    bars = [
        f"{words.replace('_', ' ')} {figure[words]:.4g}"
        for words in ("at_least", "at_most")
        if figure[words] is not None
    ]
    verdict = ("passed" if figure["passed"] else "missed") if bars else ""
    return figure["name"], f"{figure['value']:.4g}", " and ".join(bars) or "none", verdict


def _versions(versions: Sequence[dict[str, Any]]) -> Markup:
    names = [name for name in LARGE if any(name in version["metrics"] for version in versions)]
    head = element(
        "tr", *(element("th", word) for word in ("version", "alias", *(LARGE[name][0] for name in names)))
    )
    rows = [
        element(
            "tr",
            element("td", str(version["version"])),
            element("td", ", ".join(version["aliases"])),
            *(
                element(
                    "td",
                    LARGE[name][1].format(version["metrics"][name]) if name in version["metrics"] else "",
                )
                for name in names
            ),
        )
        for version in versions
    ]
    return element("table", head, *rows)


def _key(words: str, colour: str) -> list[Markup]:
    return [element("span", class_="key", style=f"background: var(--{colour})"), joined(words)]


def _first(n: int) -> str:
    more = n > charts.MOST_LABELS
    return f"The {charts.MOST_LABELS} labels with the most documents, of {n}." if more else ""
