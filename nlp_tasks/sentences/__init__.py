"""Korean and English text into sentences, as character offsets.

Knows rules, no statistics and no language setting: one text may mix both. Never changes the text. Works in
time linear in the text's length, whatever the text: each rule looks a bounded number of characters around.
"""

from __future__ import annotations

from typing import TypeAlias

from nlp_tasks.sentences.enclosures import Enclosures
from nlp_tasks.sentences.ends import candidates, is_end
from nlp_tasks.sentences.lines import after_blanks, blocks, trimmed

#: (start, end) of a sentence: `text[start:end]` is exactly the sentence, without blanks around it.
Span: TypeAlias = tuple[int, int]

__all__ = ["Span", "split"]


def split(text: str, longest: int | None = None) -> list[Span]:
    """The sentences of `text`, in order; they do not overlap and leave out nothing but blanks.

    A line break ends a sentence unless the line was plainly wrapped. Sentences of more than `longest`
    characters (running text without a full stop, tables, noise) are cut at a blank near that length.
    """
    spans = [span for start, end in blocks(text) for span in _sentences(text, start, end)]
    return spans if longest is None else [part for span in spans for part in _cut(text, span, longest)]


def _sentences(text: str, start: int, end: int) -> list[Span]:
    """The sentences of one block of running text."""
    spans: list[Span] = []
    enclosures = Enclosures(text, start, end)
    for candidate in candidates(text, start, end):
        if candidate.next >= end:
            break
        if not enclosures.cover(candidate.end) and is_end(text, start, candidate):
            spans.append((start, candidate.end))
            start = candidate.next
    spans.append((start, end))
    return spans


def _cut(text: str, span: Span, longest: int) -> list[Span]:
    """Parts of a span, none longer than `longest`, cut at the last blank that allows it, else anywhere."""
    start, end = span
    parts: list[Span] = []
    while end - start > longest:
        blank = text.rfind(" ", start + longest // 2, start + longest)
        middle = blank if blank > 0 else start + longest
        parts.append(trimmed(text, start, middle))
        start = after_blanks(text, middle, end)
    parts.append((start, end))
    return [part for part in parts if part[0] < part[1]]
