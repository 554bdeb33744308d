"""The label of a document as text: a plain label, or several as a JSON list (`["news", "sport"]`).

Knows how to distinguish and to write the two forms. Any label is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable


def several(text: str) -> tuple[str, ...] | None:
    """The labels of a JSON list of strings, which may be empty; None if the text is a plain label."""
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
    """The labels as a canonical list, sorted and without duplicates: equal sets give equal lists."""
    return json.dumps(sorted(set(labels)), ensure_ascii=False)
