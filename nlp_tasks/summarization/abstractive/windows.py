"""Splits long texts into windows of whole sentences. Knows lengths, not tokenizers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nlp_tasks import sentences

#: Longer sentences are running text without full stops, or noise: they are split.
_LONGEST_SENTENCE = 1000


def windows(text: str, lengths: Callable[[Sequence[str]], Sequence[int]], longest: int) -> list[str]:
    """The parts of `text`, in order, each of at most `longest` tokens unless a single sentence has more; the whole text
    if it has one sentence. `lengths` counts the tokens of each of some texts."""
    spans = sentences.split(text, _LONGEST_SENTENCE)
    parts: list[str] = []
    start, n_tokens = spans[0][0], 0
    end = start
    for (first, last), n in zip(spans, lengths([text[a:b] for a, b in spans]), strict=True):
        if n_tokens and n_tokens + n > longest:
            parts.append(text[start:end])
            start, n_tokens = first, 0
        end, n_tokens = last, n_tokens + n
    return [*parts, text[start:end]]
