"""A document's label as one piece of text: a plain label, or several as a JSON list (`["news", "sport"]`).

Knows how the two are told apart and written. Which labels there may be, nobody says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable


def several(text: str) -> tuple[str, ...] | None:
    """The labels of a JSON list of strings, none or more; None where the text is a plain label."""
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not all(isinstance(label, str) for label in found):
        return None
    return tuple(found)


def each(text: str) -> tuple[str, ...]:
    """The labels of a text in either form."""
    found = several(text)
    return (text,) if found is None else found


def canonical(labels: Iterable[str]) -> str:
    """The list of these labels, each once, in order: equal for equal sets of labels."""
    return json.dumps(sorted(set(labels)), ensure_ascii=False)
