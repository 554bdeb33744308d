"""Marks in a text: pieces, each with what it is marked as; and what changed between two texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

#: (first character, the one after the last, what it is).
Span = tuple[int, int, str]

#: Places of words that are marked.
MOST_PLACES = 2_000
#: Characters of each text that are compared.
MOST_COMPARED = 60_000
_PART = re.compile(r"[^\n.!?。]*[\n.!?。]*")


def pieces(body: str, spans: Iterable[Span]) -> list[tuple[str, str]]:
    """The text in pieces with the names of the marks on each, in the order of the alphabet and separated by spaces.
    Spans may overlap, and may reach beyond the text."""
    edges: dict[int, list[tuple[str, int]]] = {0: [], len(body): []}
    for start, end, name in spans:
        start, end = max(0, min(start, len(body))), max(0, min(end, len(body)))
        if start < end:
            edges.setdefault(start, []).append((name, 1))
            edges.setdefault(end, []).append((name, -1))
    places = sorted(edges)
    open_: dict[str, int] = {}
    found: list[tuple[str, str]] = []
    for place, following in pairwise(places):
        for name, change in edges[place]:
            open_[name] = open_.get(name, 0) + change
        found.append((body[place:following], " ".join(sorted(name for name, n in open_.items() if n))))
    return found


def places(body: str, words: Sequence[str], name: str) -> list[Span]:
    """Where these words stand in the text, in any case. A word of Latin letters is a whole one; Korean terms are
    morphemes, which stand inside of words."""
    wanted = [
        rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])" if word.isascii() else re.escape(word)
        for word in words
        if word.strip()
    ]
    if not wanted:
        return []
    longest_first = "|".join(sorted(wanted, key=len, reverse=True))
    found: list[Span] = []
    for match in re.finditer(longest_first, body, re.IGNORECASE):
        found.append((*match.span(), name))
        if len(found) == MOST_PLACES:
            break
    return found


def changes(before: str, after: str) -> list[tuple[str, str]]:
    """(a part of one of the texts, "" for what is in both, "del" or "ins"), by sentences and lines."""
    old, new = (list(filter(None, _PART.findall(text[:MOST_COMPARED]))) for text in (before, after))
    found: list[tuple[str, str]] = []
    for what, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
        if what == "equal":
            found.append(("".join(old[i:j]), ""))
            continue
        found += [
            (part, name) for part, name in (("".join(old[i:j]), "del"), ("".join(new[k:m]), "ins")) if part
        ]
    return found
