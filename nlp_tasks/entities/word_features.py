"""What a model sees of a word in a sentence that has only words, as English ones: how it is written, what it begins and
ends with, and the words around it.

There are far fewer of these than of syllables. A word is seen by its exact letters nowhere: names that no marked
sentence has are found by their form and by the words beside them. Features that say the same twice, or that only one
sentence has (three words in a row), made models worse.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Beginnings and ends of words, by their number of letters.
BEGINNINGS, ENDS = (2, 3, 4), (2, 3, 4)
_repeated = re.compile(r"(.)\1+")


def features_of_words(words: Sequence[str]) -> list[list[str]]:
    """The features of each word or sign of a sentence."""
    return [_of(words, place) for place in range(len(words))]


def _of(words: Sequence[str], place: int) -> list[str]:
    word = words[place]
    found = ["bias", f"digit={word.isdigit()}", f"shape={_shape(word)}", *_seen(0, word)]
    found += [f"begins={word[:n]}" for n in BEGINNINGS if len(word) > n]
    found += [f"ends={word[-n:]}" for n in ENDS if n < 4 or len(word) > n]
    found += _seen(-1, words[place - 1]) if place else ["first"]
    found += _seen(1, words[place + 1]) if place + 1 < len(words) else ["last"]
    found.append(f"word-2={words[place - 2].lower()}" if place > 1 else "word-2=#")
    found.append(f"word2={words[place + 2].lower()}" if place + 2 < len(words) else "word2=#")
    return found


def _seen(by: int, word: str) -> list[str]:
    """The word at a distance of `by` words: which one it is, and how it is written."""
    return [f"word{by}={word.lower()}", f"title{by}={word.istitle()}", f"upper{by}={word.isupper()}"]


def _shape(word: str) -> str:
    """The kinds of characters, without repetition: Xx, X9, x-x."""
    return _repeated.sub(r"\1", "".join(_kind(char) for char in word))


def _kind(char: str) -> str:
    if char.isdigit():
        return "9"
    if not char.isalpha():
        return char
    return "X" if char.isupper() else "x"
