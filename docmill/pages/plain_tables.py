"""Tables on a page: rows of plain values, with a heading for each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from docmill.pages.markup import Markup, element, joined

STYLE = """.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
         overflow-wrap: anywhere; min-width: 4rem; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
"""
#: Of a value, at most this many characters are shown.
VALUE_CHARS = 600


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Markup:
    """One row for each; columns that are empty in every row are left out."""
    shown = [name for name in columns if any(row.get(name) is not None for row in rows)]
    numbers = {name for name in shown if all(_is_number(row.get(name)) for row in rows)}

    def cell(tag: str, name: str, text: str) -> Markup:
        return element(tag, text, class_="number" if name in numbers else None)

    head = element("tr", *(cell("th", name, name.replace("_", " ")) for name in shown))
    body = (element("tr", *(cell("td", name, value(row.get(name))) for name in shown)) for row in rows)
    return element(
        "div", element("table", element("thead", head), element("tbody", *body)), class_="wide", tabindex=0
    )


def section(title: str, *inside: str | Markup) -> Markup:
    """A part of a page with its heading."""
    return joined(element("article", element("h2", title), *inside), "\n")


def value(found: Any) -> str:
    """As a person reads it."""
    if found is None:
        return ""
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, float):
        return f"{found:,.0f}" if found.is_integer() and abs(found) >= 1 else f"{found:.4g}"
    if isinstance(found, int):
        return f"{found:,}"
    if isinstance(found, datetime):
        return f"{found:%Y-%m-%d %H:%M:%S} UTC"
    text = f"{len(found):,} bytes" if isinstance(found, bytes) else str(found)
    return text if len(text) <= VALUE_CHARS else f"{text[: VALUE_CHARS - 1]}…"


def _is_number(found: Any) -> bool:
    return found is None or (isinstance(found, int | float) and not isinstance(found, bool))
