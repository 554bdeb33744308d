"""The pictures of a digest, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from docmill.pages.markup import Markup, element

#: Pixels: the height of the bars, and what is above and below them.
HEIGHT, ABOVE, BELOW = 110, 34, 22
#: Pixels: a bar, at most.
WIDEST = 72
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
    broad = min(step * 0.72, WIDEST)
    parts = [element("line", x1=0, x2=width, y1=ABOVE + HEIGHT, y2=ABOVE + HEIGHT, class_="axis")]
    texts: list[Markup] = []
    for place, bar in enumerate(bars):
        high, middle = HEIGHT * bar.n / most, place * step + step / 2
        top = ABOVE + HEIGHT - high
        told, class_ = element("title", bar.told), "this" if bar.is_this else "night"
        size = {"x": float(middle - broad / 2), "y": float(top), "width": float(broad), "height": float(high)}
        parts.append(element("g", told, element("rect", rx=2, class_=class_, **size)))
        texts.append(element("text", f"{bar.n:,}", x=float(middle), y=float(top - 5), class_="tick"))
        texts.append(element("text", bar.name, x=float(middle), y=ABOVE + HEIGHT + 16, class_="tick soft"))
        if bar.n_errors:
            y = float(top - 19)
            texts.append(element("text", f"{bar.n_errors:,} ✕", x=float(middle), y=y, class_="tick bad"))
    if usual is not None:
        y = float(ABOVE + HEIGHT - HEIGHT * usual / most)
        parts.append(element("line", x1=0, x2=width, y1=y, y2=y, class_="median"))
    parts += texts
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
