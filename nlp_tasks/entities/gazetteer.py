"""A user's list of names with labels, and where a text has them.

Names are compared in NFKC, without regard to case, and with any run of blanks as one. The longest name wins. It begins
where a word begins, and ends where the word ends; in Korean also where particles follow. Knows nothing of how a list is
read.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nlp_tasks import heartbeat
from nlp_tasks.entities.spans import Entity

FILE = "gazetteer.json"
#: A longer text is no name.
MOST_NAME_CHARS = 200
#: Particles of Korean, and what else follows a name without a space. Several may follow one another.
_PARTICLES = (
    r"(?:이|가|은|는|을|를|의|에|에서|에게|에게서|께|께서|한테|와|과|랑|이랑|하고|도|만|로|으로|로서|으로서|로부터|으로부터|부터|까지|"
    r"마저|조차|처럼|같이|보다|밖에|이나|나|이라|라|이란|란|이라는|라는|이라고|라고|이며|며|이고|이자|인|이다|다|였다|이었다|"
    r"입니다|들|씨|님|측|및|등|여|야|아)"
)
_follows = re.compile(rf"{_PARTICLES}{{0,3}}(?![가-힣])")
_word = re.compile(r"[가-힣]+|[^\W가-힣]+|\S")


@dataclass(frozen=True)
class _Plain:
    """A text as names are compared, with the place of each of its characters in the text itself."""

    text: str
    starts: list[int]
    ends: list[int]

    def is_start(self, place: int) -> bool:
        """Whether a character of the text itself begins here, or the text ends."""
        return not 0 < place < len(self.starts) or self.starts[place] != self.starts[place - 1]


@dataclass(frozen=True)
class Gazetteer:
    """Names, as `plain` writes them, with their labels."""

    label_of: Mapping[str, str]

    @cached_property
    def _lengths(self) -> dict[str, list[int]]:
        """The lengths of the names that begin with these two characters (or are this one), the longest first."""
        found: dict[str, set[int]] = {}
        for name in self.label_of:
            found.setdefault(name[:2], set()).add(len(name))
        return {first: sorted(lengths, reverse=True) for first, lengths in found.items()}

    def find(self, text: str) -> list[Entity]:
        """The names in a text, by place and without overlaps."""
        read = _plain(text)
        found: list[Entity] = []
        position = 0
        for match in heartbeat.beating(_word.finditer(read.text), 100):
            start = match.start()
            # Not inside of a character that NFKC writes as several: ㈜, ½.
            if start >= position and read.is_start(start) and (end := self._end(read, start)) is not None:
                label = self.label_of[read.text[start:end]]
                found.append(Entity(read.starts[start], read.ends[end - 1], label))
                position = end
        return found

    def _end(self, read: _Plain, start: int) -> int | None:
        """Where the longest name ends that begins here."""
        text = read.text
        first = text[start : start + 2]
        lengths: list[int] = [*self._lengths.get(first, []), *self._lengths.get(first[:1], [])]
        for length in lengths:
            end = start + length
            if text[start:end] in self.label_of and read.is_start(end) and _may_end(text, end):
                return end
        return None

    def save(self, model_dir: Path) -> None:
        """Write it into the folder of a model."""
        (model_dir / FILE).write_text(json.dumps(self.label_of, ensure_ascii=False), encoding="utf-8")


def made_of(names: Iterable[tuple[str, str]]) -> Gazetteer:
    """The gazetteer of these names and labels; of a name with several labels, the first one counts."""
    label_of: dict[str, str] = {}
    for name, label in heartbeat.beating(names, 100):
        known = plain(name)
        if known and len(known) <= MOST_NAME_CHARS:
            label_of.setdefault(known, label)
    return Gazetteer(label_of)


def load(model_dir: Path) -> Gazetteer | None:
    """The gazetteer of a checked model; None if it has none."""
    path = model_dir / FILE
    return Gazetteer(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def plain(name: str) -> str:
    """A name as it is compared."""
    return _plain(name).text.strip()


def _plain(text: str) -> _Plain:
    """Character by character, so that every place is known."""
    written: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for place, char in heartbeat.beating(enumerate(text), 10_000):
        for one in " " if char.isspace() else unicodedata.normalize("NFKC", char).casefold():
            if one.isspace():
                if written and written[-1] == " ":
                    continue
                one = " "
            written.append(one)
            starts.append(place)
            ends.append(place + 1)
    return _Plain("".join(written), starts, ends)


def _may_end(text: str, end: int) -> bool:
    """Whether a name may end before this character: no part of its last word is left, but for particles."""
    if end == len(text):
        return True
    last, following = text[end - 1], text[end]
    if _is_hangul(following):
        return _follows.match(text, end) is not None
    return not (last.isalnum() and not _is_hangul(last) and following.isalnum())


def _is_hangul(char: str) -> bool:
    return "가" <= char <= "힣"
