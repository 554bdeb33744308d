"""The units of a text that get a tag: each Hangul syllable, Chinese character, or kana by itself, as Korean names end
inside words; runs of digits and of other letters; every other sign by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlp_tasks import sentences
from nlp_tasks.entities.spans import Unit

#: Units are tagged together within a sentence; longer ones are cut at a blank near this number of characters.
LONGEST_SENTENCE = 600
_SINGLE = "\u1100-\u11ff\u3041-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7a3"
_unit = re.compile(rf"[{_SINGLE}]|\d+|[^\W\d_{_SINGLE}]+|\S")


def units_of(text: str, start: int = 0, end: int | None = None) -> list[Unit]:
    """The places of the units, in order; they leave out only blanks."""
    return [found.span() for found in _unit.finditer(text, start, len(text) if end is None else end)]


def sentences_of(text: str) -> Iterator[Unit]:
    """The places of the parts of a text that are tagged by themselves."""
    yield from sentences.split(text, LONGEST_SENTENCE)
