"""What a model sees of the nouns that stand together in a Korean sentence: how they end, and what follows them.

Most names are such a run of nouns (방송문화진흥회). Its end says what kind of name it is, and is often beyond a window
of a few syllables. What follows a run (로부터, 씨, 총리) says it of names that have no such end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nlp_tasks.entities.spans import Unit
from nlp_tasks.text import Morpheme

#: Parts of speech of a run: nouns, numbers, foreign words, Chinese characters, prefixes and suffixes of nouns.
_NOUNS = ("N", "UNKNOWN", "SL", "SH", "SN", "XPN", "XSN", "XR")
#: What may follow it in its word: particles and the copula.
_TAILS = ("J", "VCP", "E")
#: Counted up to these.
_FURTHEST, _LONGEST = 4, 8
_NONE = "#"


@dataclass(frozen=True, slots=True)
class Run:
    """Nouns without blanks between them: `sentence[start:end]`."""

    start: int
    end: int
    text: str
    #: Its last noun.
    head: str
    #: The particles after it, or the sign, or a blank.
    tail: str


def runs_of(sentence: str, morphemes: Sequence[Morpheme]) -> list[Run]:
    """The runs of a sentence, in order."""
    found: list[Run] = []
    place = 0
    while place < len(morphemes):
        first = place
        while place < len(morphemes) and _goes_on(morphemes, first, place):
            place += 1
        if place > first:
            start, end = morphemes[first].start, morphemes[place - 1].end
            head = sentence[morphemes[place - 1].start : end]
            found.append(Run(start, end, sentence[start:end], head, _tail(sentence, morphemes, place, end)))
        place = max(place, first + 1)
    return found


def features_of_runs(units: Sequence[Unit], runs: Sequence[Run]) -> list[list[str]]:
    """The features of each unit: of its run and of those beside it."""
    found: list[list[str]] = []
    place = 0
    for start, _ in units:
        while place < len(runs) and runs[place].end <= start:
            place += 1
        inside = place < len(runs) and runs[place].start <= start
        here = _of(runs[place], start) if inside else []
        before = runs[place - 1] if place else None
        after = place + 1 if inside else place
        found.append(here + _beside(before, "-") + _beside(runs[after] if after < len(runs) else None, "+"))
    return found


def _goes_on(morphemes: Sequence[Morpheme], first: int, place: int) -> bool:
    is_noun = morphemes[place].tag.startswith(_NOUNS)
    return is_noun and (place == first or morphemes[place - 1].end == morphemes[place].start)


def _tail(sentence: str, morphemes: Sequence[Morpheme], place: int, end: int) -> str:
    last = end
    while (
        place < len(morphemes) and morphemes[place].start == last and morphemes[place].tag.startswith(_TAILS)
    ):
        last = morphemes[place].end
        place += 1
    return sentence[end:last] or sentence[end : end + 1].strip() or " "


def _of(run: Run, start: int) -> list[str]:
    to_end = min(run.end - start, _FURTHEST)
    side = "B" if run.start == start else "I"
    text = run.text
    return [
        f"r={text}{side}",
        f"r-head={run.head}{side}",
        f"r-e1={text[-1:]}{to_end}",
        f"r-e2={text[-2:]}{side}",
        f"r-e3={text[-3:]}{side}",
        f"r-b2={text[:2]}{side}",
        f"r-tail={run.tail}{side}",
        f"r-e1-tail={text[-1:]}|{run.tail}",
        f"r-size={min(len(text), _LONGEST)}{side}{to_end}",
    ]


def _beside(run: Run | None, side: str) -> list[str]:
    if run is None:
        return [f"r{side}={_NONE}"]
    return [
        f"r{side}={run.text}",
        f"r{side}head={run.head}",
        f"r{side}e2={run.text[-2:]}",
        f"r{side}tail={run.tail}",
    ]
