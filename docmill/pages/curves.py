"""The curves of a training as inline SVG: what the loss and the figures on documents left out were after each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docmill.pages.markup import Markup, element, joined
from docmill.pages.plain_tables import table

STYLE = """
.curves { display: flex; flex-wrap: wrap; gap: .8rem 2rem } .curves svg { max-width: 100%; height: auto }
svg.curve { display: block } svg.curve text { font-size: 12px; fill: light-dark(#1c2330, #e8ecf2) }
svg.curve .tick { fill: light-dark(#5b6472, #a4aebd) } svg.curve .end { text-anchor: end }
svg.curve .middle { text-anchor: middle } svg.curve .frame { stroke: light-dark(#c3cad5, #4a5565); fill: none }
svg.curve .line { fill: none; stroke-width: 2 } svg.curve .first { stroke: light-dark(#2f6fc1, #5b9bea) }
svg.curve .second { stroke: light-dark(#b8481a, #ef8350); stroke-dasharray: 5 3 }
svg.curve circle { stroke: none; fill: light-dark(#2f6fc1, #5b9bea) }
.points .wide { display: block; overflow-x: auto }
svg.curve circle.second { fill: light-dark(#b8481a, #ef8350) }
"""
#: Series that share an axis; any other has a chart of its own.
_TOGETHER = ("loss", "validation_loss")
_NAMES = {
    "loss": "training loss",
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
    "validation_rouge_l": "validation ROUGE-L",
}
#: Pixels: a chart fits a phone. The space on the right is for the last values.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 340, 190, 48, 58, 12, 36
#: With more epochs, points have no marks.
MOST_MARKS = 60

Rows = Sequence[dict[str, Any]]


def charts(rows: Rows) -> Markup:
    """A chart for the losses and one for each other figure, and all points as a table; nothing without points."""
    if not rows:
        return Markup("")
    series: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        series.setdefault(row["series"], []).append((row["epoch"], row["value"]))
    series = {name: series[name] for name in sorted(series, key=lambda name: (name not in _TOGETHER, name))}
    groups = [[name for name in _TOGETHER if name in series]]
    groups += [[name] for name in series if name not in _TOGETHER]
    drawn = [_chart({name: series[name] for name in group}) for group in groups if group]
    as_table = [{"epoch": epoch} for epoch in sorted({row["epoch"] for row in rows})]
    by_epoch = {row["epoch"]: row for row in as_table}
    for row in rows:
        by_epoch[row["epoch"]][name_of(row["series"])] = row["value"]
    columns = ("epoch", *map(name_of, series))
    return joined(
        element("div", *drawn, class_="curves"),
        element("details", element("summary", "As a table"), table(as_table, columns), class_="points"),
    )


def name_of(series: str) -> str:
    """A series in words."""
    return _NAMES.get(series, series.replace("_", " "))


def _chart(series: dict[str, list[tuple[int, float]]]) -> Markup:
    last = max(epoch for points in series.values() for epoch, _ in points)
    values = [value for points in series.values() for _, value in points]
    low, high = min(values), max(values)
    if low == high:
        low, high = low - abs(low) / 10 - 0.1, high + abs(high) / 10 + 0.1

    def x(epoch: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (0.5 if last == 1 else (epoch - 1) / (last - 1))

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [
        element("path", d=f"M{LEFT} {TOP}V{bottom}H{right}", class_="frame"),
        *(
            element("text", _short(value), x=LEFT - 6, y=y(value) + 4, class_="tick end")
            for value in (low, high)
        ),
        *(
            element("text", str(epoch), x=x(epoch), y=bottom + 16, class_="tick middle")
            for epoch in sorted({1, last})
        ),
        element("text", "epoch", x=(LEFT + right) / 2, y=bottom + 30, class_="tick middle"),
    ]
    for place, (name, points) in enumerate(series.items()):
        parts += _line(name, [(x(e), y(v), e, v) for e, v in points], "first" if not place else "second")
    parts += _ends([(y(points[-1][1]), points[-1][1]) for points in series.values()], right)
    names = " and ".join(map(name_of, series))
    told = ", ".join(
        f"{name_of(name)} {points[0][1]:.4g} to {points[-1][1]:.4g}" for name, points in series.items()
    )
    heads = (
        element(
            "b", f"{name_of(name)}{' (dashed)' if place else ''}{', ' if place + 1 < len(series) else ''}"
        )
        for place, name in enumerate(series)
    )
    svg = element(
        "svg", element("title", f"{names}: {told}"), *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", width=WIDTH,
        height=HEIGHT, role="img", class_="curve",
    )  # fmt: skip
    return element("div", element("div", *heads), svg)


def _line(name: str, points: Sequence[tuple[float, float, int, float]], class_: str) -> list[Markup]:
    drawn = [
        element(
            "polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in points), class_=f"line {class_}"
        )
    ]
    if len(points) <= MOST_MARKS:
        drawn += [
            element(
                "circle", element("title", f"{name_of(name)} after epoch {epoch}: {value:.4g}"), cx=x, cy=y, r=3,
                class_=class_,
            )
            for x, y, epoch, value in points
        ]  # fmt: skip
    return drawn


def _ends(ends: list[tuple[float, float]], right: int) -> list[Markup]:
    """The last values beside the ends of the lines, no two on each other."""
    placed: list[Markup] = []
    before = -100.0
    for y, value in sorted(ends):
        y = max(y, before + 14)
        before = y
        placed.append(element("text", _short(value), x=right + 8, y=y + 4))
    return placed


def _short(value: float) -> str:
    return f"{value:.3g}"
