"""The pictures of a digest, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from docmill.pages.markup import Markup, element

#: Pixels: the height of the bars, and what is above and below them.
HEIGHT, ABOVE, BELOW = 110, 34, 22
#: Pixels: a bar in a table.
LENGTH, THICK = 150, 12


@dataclass(frozen=True)
class Bar:
    """A night in the chart of nights."""

    #: "11-26"
    name: str
    n: int
    n_errors: int
    #: In full, for a tooltip.
    told: str
    is_this: bool = False


def nights(bars: Sequence[Bar], usual: float | None, label: str, *, width: int) -> Markup:
    """A bar for each night, as wide as asked; the usual height is a line."""
    most = max(1.0, usual or 0.0, *(float(bar.n) for bar in bars))
    step = width / max(1, len(bars))
    parts = [element("line", x1=0, x2=width, y1=ABOVE + HEIGHT, y2=ABOVE + HEIGHT, class_="axis")]
    for place, bar in enumerate(bars):
        high = HEIGHT * bar.n / most
        left, middle = place * step + step * 0.14, place * step + step / 2
        top = ABOVE + HEIGHT - high
        inside = [
            element("title", bar.told),
            element(
                "rect", x=float(left), y=float(top), width=float(step * 0.72), height=float(high), rx=2,
                class_="this" if bar.is_this else "night",
            ),
            element("text", f"{bar.n:,}", x=float(middle), y=float(top - 5), class_="tick"),
            element("text", bar.name, x=float(middle), y=ABOVE + HEIGHT + 16, class_="tick soft"),
        ]  # fmt: skip
        if bar.n_errors:
            inside.append(
                element("text", f"{bar.n_errors:,} ✕", x=float(middle), y=float(top - 19), class_="tick bad")
            )
        parts.append(element("g", *inside))
    if usual is not None:
        y = float(ABOVE + HEIGHT - HEIGHT * usual / most)
        parts.append(element("line", x1=0, x2=width, y1=y, y2=y, class_="median"))
    return element(
        "svg", *parts, viewBox=f"0 0 {width} {ABOVE + HEIGHT + BELOW}", width=width, height=ABOVE + HEIGHT + BELOW,
        role="img", aria_label=label,
    )  # fmt: skip


def bar(value: float, most: float, usual: float | None = None) -> Markup:
    """A bar beside its number, with a mark at what is usual."""
    scale = LENGTH / (most or 1.0)
    parts = [
        element("rect", x=0, y=1, width=LENGTH, height=THICK, rx=2, class_="track"),
        element("rect", x=0, y=1, width=float(min(LENGTH, value * scale)), height=THICK, rx=2, class_="this"),
    ]
    if usual is not None:
        x = float(min(LENGTH - 1, max(1, usual * scale)))
        parts.append(element("line", x1=x, x2=x, y1=0, y2=THICK + 2, class_="mark"))
    size = {"viewBox": f"0 0 {LENGTH} {THICK + 2}", "width": LENGTH, "height": THICK + 2}
    return element("svg", *parts, aria_hidden="true", **size)
