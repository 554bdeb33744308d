"""HTML and SVG elements as text. Text is escaped; only Markup is used as it is."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is already HTML or SVG."""

    __slots__ = ()


def element(name: str, *inside: str | Markup, **attributes: object) -> Markup:
    """An element. In attributes, class_ is class, and an underscore is a hyphen."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{joined(*inside)}</{name}>")


def joined(*parts: str | Markup) -> Markup:
    """The parts one after the other."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def _plain(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
