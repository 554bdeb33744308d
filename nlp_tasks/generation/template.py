"""Prompts: a template with fields in braces, filled in for each document.

    Summarize in one sentence: {text}
    {meta.company} ({key}): {text}

Fields are {text}, {key}, {label}, {meta.NAME} (with dots for what is inside: {meta.author.name}) and {examples}. Braces
that are not a field are written twice: {{ and }}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document

TEXT, EXAMPLES = "text", "examples"
#: Fields of every document; others are in its metadata.
FIELDS = (TEXT, "key", "label")
META = "meta."


@dataclass(frozen=True)
class Template:
    """A parsed template: literals and names of fields."""

    #: (literal, name of the field after it or None).
    parts: tuple[tuple[str, str | None], ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for _, name in self.parts if name is not None)

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with a value for each name."""
        return "".join(literal + ("" if name is None else values[name]) for literal, name in self.parts)


def parse(template: str, *, what: str = "prompt", examples: bool = False) -> Template:
    """ValueError, which says `what` is wrong, for a field that there is not, or for braces that do not match."""
    try:
        parts = tuple(_parts(template))
    except ValueError as error:
        raise ValueError(f"{what}: {error}; write {{{{ and }}}} for braces that are no field") from None
    for _, name in parts:
        if name is not None and not _is_known(name, examples=examples):
            there_are = [*FIELDS, "meta.NAME", *([EXAMPLES] if examples else [])]
            raise ValueError(
                f"{what}: there is no field {{{name[:80]}}}: there are {', '.join(f'{{{one}}}' for one in there_are)}; "
                "write {{ and }} for braces that are no field"
            )
    return Template(parts)


def values(document: Document, names: frozenset[str]) -> dict[str, str]:
    """The document's values for these names, but {examples}. DocumentError names a field that it lacks."""
    found = {}
    for name in sorted(names - {EXAMPLES}):
        value = _value(document, name)
        if value is None:
            raise DocumentError("MISSING_FIELD", f"the prompt needs {{{name}}}, which this document lacks")
        found[name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return found


def _parts(template: str) -> Iterator[tuple[str, str | None]]:
    for literal, name, form, conversion in Formatter().parse(template):
        if form or conversion:
            raise ValueError(f"{{{name}}} has a format, which is not supported")
        yield literal, name


def _is_known(name: str, *, examples: bool) -> bool:
    if name == EXAMPLES:
        return examples
    return name in FIELDS or (name.startswith(META) and all(name.split(".")))


def _value(document: Document, name: str) -> Any:
    if not name.startswith(META):
        return getattr(document, name)
    value: Any = document.meta
    for part in name.removeprefix(META).split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
