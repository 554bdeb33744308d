"""What a model sees of a unit: the units around it, the word and the morpheme that it is in, and their neighbours.
The nouns that stand together: see noun_runs.py. A sentence that has only words is seen otherwise: see word_features.py.

Korean words carry particles, so the word alone says little: the morphemes of MeCab say where a name ends, and its
dictionary knows many persons and places.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nlp_tasks import text as texts
from nlp_tasks.entities import clusters, gazetteer
from nlp_tasks.entities.clusters import Clusters
from nlp_tasks.entities.gazetteer import Gazetteer
from nlp_tasks.entities.noun_runs import features_of_runs, runs_of
from nlp_tasks.entities.spans import Entity, Unit, tags
from nlp_tasks.entities.units import has_only_words
from nlp_tasks.entities.word_features import features_of_words

_words = re.compile(r"\S+")
_NONE = "#"


@dataclass(frozen=True, slots=True)
class Known:
    """What a model knows beside the marked texts."""

    clusters: Clusters | None = None
    gazetteer: Gazetteer | None = None

    def save(self, model_dir: Path) -> None:
        """Write it into the folder of a model."""
        for each in (self.clusters, self.gazetteer):
            if each is not None:
                each.save(model_dir)


def known_to(model_dir: Path) -> Known:
    """What the model in a checked folder knows."""
    return Known(clusters.load(model_dir), gazetteer.load(model_dir))


@dataclass(frozen=True, slots=True)
class _Around:
    """What a sentence is made of, with a filler beyond its ends."""

    items: Sequence[str]

    def __getitem__(self, place: int) -> str:
        return self.items[place] if 0 <= place < len(self.items) else _NONE


@dataclass(frozen=True, slots=True)
class _Morphemes:
    """The morphemes of a sentence: surface, part of speech, meaning, and which one each character is in."""

    all: Sequence[texts.Morpheme]
    surfaces: _Around
    tags: _Around
    meanings: _Around
    starts: Sequence[int]
    of_char: dict[int, int]


def features_of(sentence: str, units: Sequence[Unit], known: Known) -> list[list[str]]:
    """The features of each unit of a sentence."""
    forms = [sentence[start:end] for start, end in units]
    around = _Around(forms)
    morphemes = _analysed(sentence)
    found = (
        features_of_words(forms)
        if has_only_words(sentence)
        else _of_syllables(sentence, units, around, morphemes)
    )
    if known.clusters is not None:
        _add_clusters(found, units, morphemes, around, known.clusters)
    if known.gazetteer is not None:
        _add_names(found, units, known.gazetteer.find(sentence))
    return found


def _of_syllables(
    sentence: str, units: Sequence[Unit], around: _Around, morphemes: _Morphemes
) -> list[list[str]]:
    """The features of each unit of a sentence with Hangul, Chinese characters or kana."""
    forms = around.items
    shapes = _Around([_shape(form) for form in forms])
    lower = _Around([form.lower() for form in forms])
    words = [found.span() for found in _words.finditer(sentence)]
    of_char = {char: place for place, (start, end) in enumerate(words) for char in range(start, end)}
    spelled = _Around([sentence[start:end] for start, end in words])
    of_runs = features_of_runs(units, runs_of(sentence, morphemes.all))
    return [
        _of_units(place, around, lower, shapes)
        + _of_word(sentence, unit, words[of_char[unit[0]]], of_char[unit[0]], spelled)
        + _of_morpheme(unit, morphemes)
        + of_runs[place]
        for place, unit in enumerate(units)
    ]


def _add_clusters(
    found: list[list[str]], units: Sequence[Unit], morphemes: _Morphemes, forms: _Around, known: Clusters
) -> None:
    """The clusters of the morphemes around each unit, or of the units in a text without Hangul."""
    words = morphemes.surfaces if morphemes.starts else forms
    numbers = [known.of(word) for word in words.items]
    for size_place, size in enumerate(known.sizes):
        of_word = _Around(["?" if each is None else str(each[size_place]) for each in numbers])
        for place, (unit, features) in enumerate(zip(units, found, strict=True)):
            at = morphemes.of_char.get(unit[0]) if morphemes.starts else place
            if at is None:
                continue
            side = "I" if morphemes.starts and morphemes.starts[at] != unit[0] else "B"
            before, here, after = of_word[at - 1], of_word[at], of_word[at + 1]
            features += [
                f"c{size}={here}{side}",
                f"c{size}-1={before}",
                f"c{size}+1={after}",
                f"c{size}-2={of_word[at - 2]}",
                f"c{size}+2={of_word[at + 2]}",
                f"cc{size}-1={before}|{here}{side}",
                f"cc{size}+1={here}|{after}{side}",
                f"ccc{size}={before}|{here}|{after}{side}",
            ]


def _add_names(found: list[list[str]], units: Sequence[Unit], names: Sequence[Entity]) -> None:
    """Where a name of the gazetteer is, and what stands beside it."""
    tagged = _Around(tags(units, names))
    for place, features in enumerate(found):
        features += [f"g={tagged[place]}", f"g-1={tagged[place - 1]}", f"g1={tagged[place + 1]}"]


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
        found,
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
