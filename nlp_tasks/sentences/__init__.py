"""Splits Korean and English text into sentences, as character offsets.

Uses rules, no statistics and no language setting: a text may mix both languages. Never changes the text. Time is linear
in the length of any text: each rule looks at a bounded number of characters.

    lines.py, wrapping.py   lines, and paragraphs that were wrapped
    ends.py                 where a sentence may end inside a line, and whether it does
    enclosures.py           quotes and brackets
    missing_spaces.py       sentences without a space between them
    word_lists.py           abbreviations, quoting words, endings
"""

from __future__ import annotations

from typing import TypeAlias

from nlp_tasks.sentences.enclosures import Enclosures
from nlp_tasks.sentences.ends import candidates, is_end
from nlp_tasks.sentences.lines import after_blanks, blocks, trimmed

#: (start, end) of a sentence: `text[start:end]` is the sentence without surrounding blanks.
Span: TypeAlias = tuple[int, int]

__all__ = ["Span", "split"]


def split(text: str, longest: int | None = None) -> list[Span]:
    """The sentences of `text`, in order. They do not overlap, and leave out only blanks.

    A line break ends a sentence unless the line was clearly wrapped. Sentences of more than `longest` characters
    (running text without full stops, tables, noise) are split at a blank near that length.
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
    """The parts of a span, each of at most `longest` characters, split at the last possible blank, or anywhere."""
    start, end = span
    parts: list[Span] = []
    while end - start > longest:
        blank = text.rfind(" ", start + longest // 2, start + longest)
        middle = blank if blank > 0 else start + longest
        parts.append(trimmed(text, start, middle))
        start = after_blanks(text, middle, end)
    parts.append((start, end))
    return [part for part in parts if part[0] < part[1]]
