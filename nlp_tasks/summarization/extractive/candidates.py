"""What the ranking knows of the sentences that a summary may have: their words, lengths, and what speaks against them.

Knows text, not scores.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nlp_tasks import addresses
from nlp_tasks.keywords import stop_words
from nlp_tasks.summarization.extractive.debris import DAMAGED, worth
from nlp_tasks.summarization.extractive.leaning import has_no_subject, leans
from nlp_tasks.text import tokens

#: Who speaks, at the beginning of a line of a transcript.
_SPEAKER = re.compile(r"[^\W\d_][\w.]{0,15}(?: [\w.]{1,15}){0,3} ?: (?=\S)")
#: A sentence that begins with a small letter, but not with a name such as iPhone or e-mail.
_SMALL = re.compile(r"[a-z]+(?=[\s,])")
#: Sentences begin with capitals in a document that has this many times as many as with small letters.
_CAPITALS = 4


@dataclass(frozen=True, slots=True)
class Candidates:
    """The sentences of one document, in order; each list has an entry for each of them."""

    #: Content words only: function words join sentences that have nothing in common.
    words: Sequence[Sequence[str]]
    #: Characters, as a summary shows them.
    sizes: Sequence[int]
    #: Whether the sentence leans on an earlier one.
    leans: Sequence[bool]
    #: From 0 to 1: what share of its score a sentence keeps, because of its form.
    worth: Sequence[float]


def described(sentences: Sequence[str], found: Sequence[Sequence[str]] | None = None) -> Candidates:
    """The sentences as a summary shows them, with the tokens `found` in each (by default `nlp_tasks.text.tokens`)."""
    if found is None:
        # Links and addresses are not words.
        found = [tokens(addresses.masked(sentence)) for sentence in sentences]
    return Candidates(
        [_content(sentence, words) for sentence, words in zip(sentences, found, strict=True)],
        [len(sentence) for sentence in sentences],
        _leaning([_spoken(sentence) for sentence in sentences]),
        [
            DAMAGED if cut else worth(sentence)
            for sentence, cut in zip(sentences, _cut(sentences), strict=True)
        ],
    )


def _leaning(sentences: Sequence[str]) -> list[bool]:
    """Which sentences lean on an earlier one. Minutes and diaries may name no subject at all: theirs do not."""
    found: list[bool] = []
    has_subject = False
    for sentence in sentences:
        found.append(leans(sentence, has_subject_before=has_subject))
        has_subject = has_subject or not has_no_subject(sentence)
    return found


def _cut(sentences: Sequence[str]) -> list[bool]:
    """Which sentences begin in the middle: with a small letter, in a document whose sentences begin with capitals."""
    small = [_SMALL.match(sentence) is not None for sentence in sentences]
    n_capitals = sum(sentence[:1].isupper() for sentence in sentences)
    return small if n_capitals > _CAPITALS * sum(small) else [False] * len(sentences)


def _spoken(sentence: str) -> str:
    """A sentence without who says it."""
    speaker = _SPEAKER.match(sentence)
    return sentence[speaker.end() :] if speaker else sentence


def _content(sentence: str, words: Sequence[str]) -> list[str]:
    """The content words of what is said, without the speaker."""
    speaker = _SPEAKER.match(sentence)
    return content(words[len(tokens(speaker.group())) :] if speaker else words)


def content(words: Sequence[str]) -> list[str]:
    """The words without English function words and single letters."""
    return [
        word for word in words if word not in stop_words.ENGLISH and (len(word) > 1 or not word.isascii())
    ]


def shown(sentence: str) -> str:
    """A sentence as a summary shows it, on one line. MeCab would read the words beside a line end apart."""
    return " ".join(sentence.split())
