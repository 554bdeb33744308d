"""What the rules of `entities` find in an excerpt of each document, for by_eye.py."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nlp_tasks.entities.rules.find import find
from nlp_tasks.entities.rules.match import Match
from nlp_tasks.kind import Document

#: Where the excerpt begins and ends, counted from the first digit that many characters into the text.
SKIPPED, BEFORE, AFTER = 150, 60, 240


def shown(documents: Sequence[Document], _others: Sequence[Document]) -> list[str]:
    """An excerpt of each document that has a digit if possible, and below it what was found there."""
    return [_shown(document.text) for document in documents]


def _shown(text: str) -> str:
    found = re.search(r"\d", text[SKIPPED:]) or re.search(r"\d", text)
    middle = found.start() + (SKIPPED if found.string != text else 0) if found else 0
    start, end = max(0, middle - BEFORE), middle + AFTER
    lines = [_line(text, match) for match in find(text) if start <= match.start and match.end <= end]
    excerpt = " ".join(text[start:end].split())
    return "\n    ".join([f"...{excerpt}...", *(lines or ["(nothing)"])])


def _line(text: str, match: Match) -> str:
    sure = "" if match.score == 1 else f" ({match.score:g})"
    return f"- {' '.join(text[match.start : match.end].split())} = {match.label} {match.normal}{sure}"
