"""The words that full text search looks for: those of `nlp_tasks.text`, with English inflection taken off.

"prices" and "priced" give "price", 인상했다 gives 인상. The same function makes the words of a document and of a
query, so that a form finds every other form. Knows no index and no query language.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache

from nlp_tasks import text as texts
from readers.markup import plain as plain

#: Longer words are cut: an index entry has a limit.
WORD_CHARS = 100
#: One text is analysed at a time: the analyser of Korean is shared by the threads of a process.
_analysing = threading.Lock()

_latin_with_marks = re.compile("[\u00c0-\u024f]")
_dropped = re.compile("['’]|(?<=\\d),(?=\\d)")


def words(text: str) -> list[str]:
    """The words of a text, in order. Markup in it is left out."""
    with _analysing:
        return [normal(word) for word in texts.tokens(text)]


def as_written(text: str) -> list[str]:
    """The words of a text as models know them: `nlp_tasks.text.tokens`, from any thread."""
    with _analysing:
        return texts.tokens(text)


def located(text: str) -> list[tuple[int, int, str]]:
    """(start, end, word) of each word of a text without markup, as written at `text[start:end]`."""
    with _analysing:
        return [(start, end, normal(word)) for start, end, word in texts.located(text)]


@lru_cache(maxsize=200_000)
def normal(word: str) -> str:
    """The form of a word (in lower case) under which it is found: without apostrophes, accents of Latin letters,
    commas in numbers, and English endings."""
    word = _dropped.sub("", word)[:WORD_CHARS]
    if _latin_with_marks.search(word):
        parts = unicodedata.normalize("NFKD", word)
        # Some characters stand for many.
        word = "".join(char for char in parts if not unicodedata.combining(char))[:WORD_CHARS]
    return stem(word) if word.isascii() and word.isalpha() else word


def stem(word: str) -> str:
    """An English word without the endings of inflection: plural, -ed, -ing; a final y or e is unified. Steps 1 and 5a
    of M. F. Porter, An algorithm for suffix stripping (1980). Derivation stays: "reporter" is not "report"."""
    if len(word) < 4:
        return word
    word = _without_past(_without_plural(word))
    if word.endswith("y") and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    if word.endswith("e") and len(word) > 3:
        rest = word[:-1]
        n = _measure(rest)
        if n > 1 or (n == 1 and not _ends_short(rest)):
            word = rest
    return word


def _without_plural(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith("ies"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us")) else word


def _without_past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for ending in ("ed", "ing"):
        rest = word[: -len(ending)]
        if word.endswith(ending) and _has_vowel(rest):
            return _completed(rest)
    return word


def _completed(rest: str) -> str:
    """What is left of a verb, with the letters that its ending had changed."""
    if rest.endswith(("at", "bl", "iz")):
        return rest + "e"
    if len(rest) > 1 and rest[-1] == rest[-2] and rest[-1] not in "aeioulsz":
        return rest[:-1]
    return rest + "e" if _measure(rest) == 1 and _ends_short(rest) else rest


def _shape(word: str) -> str:
    """c for a consonant, v for a vowel. The letter y is a vowel after a consonant."""
    shape = ""
    for char in word:
        is_vowel = char in "aeiou" or (char == "y" and shape.endswith("c"))
        shape += "v" if is_vowel else "c"
    return shape


def _has_vowel(word: str) -> bool:
    return "v" in _shape(word)


def _measure(word: str) -> int:
    """The number of times that a consonant follows a vowel."""
    return _shape(word).count("vc")


def _ends_short(word: str) -> bool:
    """Whether it ends with consonant, vowel, consonant, as "pric" does, the last one not being w, x or y."""
    return _shape(word).endswith("cvc") and word[-1] not in "wxy"
