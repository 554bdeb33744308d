"""The units of a text that get a tag: each Hangul syllable, Chinese character, or kana by itself, as Korean names end
inside words; runs of digits and of other letters; every other sign by itself.

A sentence without such characters has words, as readers of English see them: U.S., O'Brien, 19th, @name, #topic and a
web address are one unit each. A name may end before a hyphen or 's (New York-based, Kim's), so these are not joined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlp_tasks import sentences
from nlp_tasks.entities.spans import Unit

#: Units are tagged together within a sentence; longer ones are cut at a blank near this number of characters.
LONGEST_SENTENCE = 600
_SINGLE = "\u1100-\u11ff\u3041-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7a3"
_single = re.compile(f"[{_SINGLE}]")
_unit = re.compile(rf"[{_SINGLE}]|\d+|[^\W\d_{_SINGLE}]+|\S")
#: An address; a name or topic of a network; U.S.; the end of Kim's and don't; O'Brien and other words; a sign.
_word = re.compile(
    r"https?://\S+|www\.\S+|[@#]\w+|[^\W\d_](?:\.[^\W\d_])+\b\.?|['’](?:s|d|m|t|re|ve|ll)\b"
    r"|(?:\b[^\W\d_]['’](?!(?:re|ve|ll)\b)(?=[^\W\d_]{2}))?[^\W_]+|\S"
)


def units_of(text: str, start: int = 0, end: int | None = None) -> list[Unit]:
    """The places of the units, in order; they leave out only blanks."""
    end = len(text) if end is None else end
    pattern = _unit if _single.search(text, start, end) else _word
    return [found.span() for found in pattern.finditer(text, start, end)]


def has_only_words(text: str) -> bool:
    """Whether no character of the text is a unit by itself, as Hangul syllables are: its units are words and signs."""
    return not _single.search(text)


def sentences_of(text: str) -> Iterator[Unit]:
    """The places of the parts of a text that are tagged by themselves."""
    yield from sentences.split(text, LONGEST_SENTENCE)
