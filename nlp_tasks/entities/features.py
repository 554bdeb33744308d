"""What a model sees of a unit: the units around it, the word and the morpheme that it is in, and their neighbours.

Korean words carry particles, so the word alone says little: the morphemes of MeCab say where a name ends, and its
dictionary knows many persons and places.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nlp_tasks import text as texts
from nlp_tasks.entities.spans import Unit

_words = re.compile(r"\S+")
_NONE = "#"


@dataclass(frozen=True, slots=True)
class _Around:
    """What a sentence is made of, with a filler beyond its ends."""

    items: Sequence[str]

    def __getitem__(self, place: int) -> str:
        return self.items[place] if 0 <= place < len(self.items) else _NONE


@dataclass(frozen=True, slots=True)
class _Morphemes:
    """The morphemes of a sentence: surface, part of speech, meaning, and which one each character is in."""

    surfaces: _Around
    tags: _Around
    meanings: _Around
    starts: Sequence[int]
    of_char: dict[int, int]


def features_of(sentence: str, units: Sequence[Unit]) -> list[list[str]]:
    """The features of each unit of a sentence."""
    forms = [sentence[start:end] for start, end in units]
    around = _Around(forms)
    shapes = _Around([_shape(form) for form in forms])
    lower = _Around([form.lower() for form in forms])
    morphemes = _analysed(sentence)
    words = [found.span() for found in _words.finditer(sentence)]
    of_char = {char: place for place, (start, end) in enumerate(words) for char in range(start, end)}
    spelled = _Around([sentence[start:end] for start, end in words])
    return [
        _of_units(place, around, lower, shapes)
        + _of_word(sentence, unit, words[of_char[unit[0]]], of_char[unit[0]], spelled)
        + _of_morpheme(unit, morphemes)
        for place, unit in enumerate(units)
    ]


def _of_units(place: int, forms: _Around, lower: _Around, shapes: _Around) -> list[str]:
    found = ["bias"]
    found += [f"u{by}={forms[place + by]}" for by in range(-3, 4)]
    found += [f"uu{by}={forms[place + by]}|{forms[place + by + 1]}" for by in range(-2, 2)]
    found += [
        f"uuu{by}={forms[place + by]}|{forms[place + by + 1]}|{forms[place + by + 2]}" for by in range(-2, 1)
    ]
    found.append("s5=" + " ".join(shapes[place + by] for by in range(-2, 3)))
    found.append("s3=" + " ".join(shapes[place + by] for by in range(-1, 2)))
    form = forms[place]
    if len(form) > 1 and not form.isdigit():
        word = lower[place]
        found += [f"l0={word}", f"l-1={lower[place - 1]}", f"l1={lower[place + 1]}"]
        found += [f"p3={word[:3]}", f"e3={word[-3:]}", f"e2={word[-2:]}"]
    elif form.isdigit():
        found.append(f"d={len(form)}")
    return found


def _of_word(sentence: str, unit: Unit, word: Unit, place: int, words: _Around) -> list[str]:
    (start, end), (first, last) = unit, word
    spelled = words[place]
    return [
        "w-begin" if start == first else "w-inside",
        "w-end" if end == last else "w-goes-on",
        f"w={spelled}",
        f"w-1={words[place - 1]}",
        f"w1={words[place + 1]}",
        f"w-before={sentence[first:start][-8:]}",
        f"w-after={sentence[end:last][:4]}",
        f"w-first2={spelled[:2]}",
        f"w-first3={spelled[:3]}",
        f"w-last2={spelled[-2:]}",
    ]


def _of_morpheme(unit: Unit, morphemes: _Morphemes) -> list[str]:
    place = morphemes.of_char.get(unit[0])
    if place is None:
        return []
    side = "B" if morphemes.starts[place] == unit[0] else "I"
    surface, tag, meaning = morphemes.surfaces, morphemes.tags, morphemes.meanings
    found = [
        f"m={surface[place]}",
        f"m-side={side}",
        f"t={tag[place]}{side}",
        f"n={meaning[place]}{side}",
        f"m-side={surface[place]}/{side}",
        f"t3={tag[place - 1]} {tag[place]} {tag[place + 1]}",
        f"mm-1={surface[place - 1]}|{surface[place]}",
        f"mm1={surface[place]}|{surface[place + 1]}",
        f"nt={meaning[place]} {tag[place]} {surface[place + 1]}{side}",
    ]
    for by in (-2, -1, 1, 2):
        found += [f"m{by}={surface[place + by]}", f"t{by}={tag[place + by]}", f"n{by}={meaning[place + by]}"]
    return found


def _analysed(sentence: str) -> _Morphemes:
    """The morphemes of a sentence with Hangul; none of another."""
    found = list(texts.analysed(sentence)) if texts.has_hangul(sentence) else []
    of_char = {char: place for place, each in enumerate(found) for char in range(each.start, each.end)}
    return _Morphemes(
        _Around([sentence[each.start : each.end] for each in found]),
        _Around([each.tag for each in found]),
        _Around([each.meaning for each in found]),
        [each.start for each in found],
        of_char,
    )


def _shape(form: str) -> str:
    """What kind of unit it is: Xx for a capitalised word, 9 for digits, the sign itself."""
    first = form[0]
    if "\uac00" <= first <= "\ud7a3":
        return "가"
    if form.isdigit():
        return "9"
    if not first.isalpha():
        return form
    if form.islower():
        return "x"
    return "X" if form.isupper() else "Xx"
