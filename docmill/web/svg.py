"""Charts as SVG from the server. Their words stand in HTML beside them, so that they stay readable at any width."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

#: The height of a chart; its width is 100 units, whatever the page gives it.
HEIGHT = 40.0
_BAR = Markup(
    '<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"><title>{}</title></rect>'
)
_CHART = Markup(
    '<svg class="chart" viewBox="0 0 100 {:g}" preserveAspectRatio="none" role="img" aria-label="{}">{}'
    '<line class="axis" x1="0" x2="100" y1="{:g}" y2="{:g}"/></svg>'
)


def bars(values: Sequence[float], told: Sequence[str], name: str, *, last: bool = True) -> Markup:
    """A bar for each value, the last one marked; what is told of a value is its tooltip."""
    most = max(values, default=0.0) or 1.0
    step = 100.0 / max(1, len(values))
    drawn = Markup("").join(
        _BAR.format(
            "bar last" if last and place == len(values) - 1 else "bar",
            place * step + step * 0.1,
            HEIGHT - HEIGHT * value / most,
            step * 0.8,
            HEIGHT * value / most,
            words,
        )
        for place, (value, words) in enumerate(zip(values, told, strict=True))
    )
    return _CHART.format(HEIGHT, name, drawn, HEIGHT, HEIGHT)
