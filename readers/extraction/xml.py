"""XML as events, in a stream: no tree, no entities, bounded depth. Independent of the vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol
from xml.parsers import expat

from readers.extraction.limits import Budget, too_large
from readers.extraction.records import ExtractionError


class Handler(Protocol):
    """Receives the events of elements. Names are local names, without their namespace."""

    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None: ...


def parse(blocks: Iterable[bytes], handler: Handler, budget: Budget, part: str) -> None:
    """Tells a handler of all elements. CORRUPT for what is not well-formed or declares entities."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > budget.limits.xml_depth:
            raise too_large(f"levels of elements in {part}", budget.limits.xml_depth)
        handler.start(_local(name), {_attribute(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        handler.end(_local(name))

    def entity(*_: Any) -> None:
        raise ExtractionError(
            "CORRUPT", f"{part} declares XML entities, which no document needs and attacks use"
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = handler.text
    parser.EntityDeclHandler = entity
    try:
        for block in blocks:
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise ExtractionError("CORRUPT", f"{part} is no well-formed XML: {error}") from error


def _attribute(name: str) -> str:
    """The local name; "rel:id" for Office's relations, which stand beside an id of the element itself."""
    return "rel:id" if name.endswith("/relationships id") else _local(name)


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


class Ignore:
    """A handler with nothing to tell: a base for those that need some of the events."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element starts."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, text: str) -> None:
        """Characters between tags."""


class Elements(Ignore):
    """Collects the attributes of some elements, in order, and the text of each."""

    def __init__(self, *names: str) -> None:
        self._names = frozenset(names)
        self.found: list[tuple[str, dict[str, str]]] = []
        #: Of each that is found, in the same order.
        self._texts: list[str] = []
        self._inside: str | None = None

    @property
    def texts(self) -> dict[str, str]:
        """By name, the first text that is not blank."""
        named = zip(self.found, self._texts, strict=True)
        return {name: text for (name, _), text in reversed(list(named)) if text.strip()}

    def named(self, name: str) -> dict[str, str]:
        """The texts of the elements of this name, by their attribute `name` in lower case."""
        told = zip(self.found, self._texts, strict=True)
        return {each.get("name", "").lower(): text for (kind, each), text in told if kind == name}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in self._names:
            self.found.append((name, attributes))
            self._texts.append("")
            self._inside = name

    def end(self, name: str) -> None:
        if name == self._inside:
            self._inside = None

    def text(self, text: str) -> None:
        if self._inside is not None:
            self._texts[-1] += text
