"""The words of a text that may be part of a keyword, with their places: Korean nouns, English content words.

Knows parts of speech and stop words, not how important a word is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nlp_tasks.keywords import stop_words
from nlp_tasks.text import morphemes

#: Common and proper nouns.
_NOUNS = frozenset({"NNG", "NNP"})
#: A suffix or a prefix belongs to the noun it is written with: 경쟁 + 력, 신 + 기술.
_PREFIX, _SUFFIX = "XPN", "XSN"
#: Suffixes that make no new thing: plurals, "-like", "each", honorifics.
_LIGHT_SUFFIXES = frozenset({"들", "적", "씩", "님", "쯤", "꼴", "짜리"})
#: Foreign letters inside Korean text are found as English words, for MeCab cuts them otherwise.
_korean = re.compile(r"[가-힣]")
_english = re.compile(r"&\w+;|[^\W\d_가-힣]+(?:[-'’][^\W_가-힣]+)*[0-9]*")
#: What may stand between two words of one term: blanks on a line.
_JOINT = re.compile(r"[ \t\u00a0]*|\r?\n?")


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it stands: `text[start:end]`, as `name` in lower case."""

    name: str
    start: int
    end: int


def phrases(text: str) -> list[list[Word]]:
    """The words of a text, in runs: words that follow each other with nothing but a blank between them."""
    words = english(text)
    if _korean.search(text):
        words = sorted(words + korean(text), key=lambda word: word.start)
    runs: list[list[Word]] = []
    for word in words:
        if runs and _JOINT.fullmatch(text, runs[-1][-1].end, word.start):
            runs[-1].append(word)
        else:
            runs.append([word])
    return runs


def english(text: str) -> list[Word]:
    """Words of Latin (or any other but Korean) letters that are no stop words."""
    found = []
    for match in _english.finditer(text):
        start, end = match.span()
        if text[start] == "&":  # what is left of HTML
            continue
        if text[end - 2 : end] in ("'s", "’s"):
            end -= 2
        name = text[start:end].lower().replace("’", "'")
        if end - start > 1 and not _says_little(name):
            found.append(Word(name, start, end))
    return found


def _says_little(name: str) -> bool:
    """Stop words, contractions of them, and adverbs."""
    if name in stop_words.ENGLISH or name.partition("'")[0] in stop_words.ENGLISH:
        return True
    return len(name) > 4 and name.endswith("ly") and name not in stop_words.NO_ADVERBS


def korean(text: str) -> list[Word]:
    """Nouns with the suffixes and prefixes written with them, but for those that say little."""
    found: list[Word] = []
    prefix = -1  # where a prefix begins that waits for its noun
    for start, end, tag in morphemes(text):
        if tag == _SUFFIX and found and found[-1].end == start:
            if text[start:end] not in _LIGHT_SUFFIXES:
                found[-1] = Word(text[found[-1].start : end], found[-1].start, end)
        elif tag in _NOUNS and _korean.search(text, start, end):
            first = prefix if prefix >= 0 and text[start - 1] != " " else start
            found.append(Word(text[first:end], first, end))
        prefix = start if tag == _PREFIX else -1
    return [word for word in found if word.name not in stop_words.KOREAN]
