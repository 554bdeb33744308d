"""Splits Korean and English text into words, for similarity, summaries and classification.

Expects text in Unicode NFC, as the store keeps it. Knows nothing of vocabularies, models or sentences. Korean is split
into morphemes by python-mecab-ko; everything else, even inside Korean text, by one regular expression, so that "GDP" is
the same word everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from nlp_tasks import heartbeat
from readers.markup import plain

if TYPE_CHECKING:
    from mecab import MeCab

Language: TypeAlias = Literal["ko", "en"]

#: Parts of speech that are kept: nouns, numerals, roots, verbs, adjectives, adverbs. Not particles and endings.
CONTENT = frozenset({"NNG", "NNP", "NR", "XR", "VV", "VA", "MAG", "UNKNOWN"})
#: Verbs that mean little by themselves: to do, become, be, not be, not do, be like, because of.
LIGHT_VERBS = frozenset(
    {"하다", "되다", "있다", "없다", "않다", "같다", "이다", "따르다", "위하다", "대하다", "의하다"}
)
#: A text is Korean if at least this share of its letters is Hangul (a syllable corresponds to 2-3 Latin letters).
KOREAN_SHARE = 0.2

#: MeCab gets pieces of this length: its time grows with the square of the length (1 s for 50,000 characters, 4 min for
#: 1,000,000).
_PIECE_CHARS = 400
#: Longer words are not cached: they rarely occur again.
_CACHED_CHARS = 30
_HANGUL = "\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f"
_hangul = re.compile(f"[{_HANGUL}]")
_hangul_runs = re.compile(f"[{_HANGUL}]+")
_letters = re.compile(r"[^\W\d_]+")
#: Numbers with their separators, or letters and digits with an inner apostrophe; not the possessive 's.
_word = re.compile(
    rf"\d+(?:[.,]\d+)+(?![^\W{_HANGUL}_])|(?!(?<=['’])s\b)[^\W{_HANGUL}_]+(?:['’](?!s\b)[^\W{_HANGUL}_]+)?"
)
#: A line; a long one is split at spaces, or anywhere if it has none.
_piece = re.compile(rf"[^\n]{{1,{_PIECE_CHARS}}}(?=\s|$)|[^\n]{{{_PIECE_CHARS}}}|[^\n]+")
#: Characters that MeCab rejects (lone surrogates), stops at (NUL) or takes for a line end; and the middle dot ㆍ
_unsafe = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u318d\ud800-\udfff]")


def tokens(text: str) -> list[str]:
    """The words of `text`, in order: Korean content morphemes, and other words and numbers in lower case.

    Korean verbs and adjectives are in dictionary form ("아름다운" gives "아름답다"). Particles, endings, light verbs
    and markup are left out. Never raises; time is linear in the length of the text.
    """
    heartbeat.beat()
    text = _unsafe.sub(" ", plain(text)).lower()
    if not _hangul.search(text):
        return _word.findall(text)
    words: list[str] = []
    for piece in heartbeat.beating(_piece.findall(text)):
        words += _korean(piece) if _hangul.search(piece) else _word.findall(piece)
    return words


def located(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, word) of the words that `tokens` finds in a text without markup; `text[start:end]` is the word as
    written."""
    lower = text.lower()
    if len(lower) != len(text):
        # A few letters have two characters in lower case.
        lower = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    for piece in _piece.finditer(_unsafe.sub(" ", lower)):
        if _hangul.search(piece.group()):
            words = _located(piece.group())
        else:
            words = [(*match.span(), match.group()) for match in _word.finditer(piece.group())]
        for start, end, word in words:
            yield piece.start() + start, piece.start() + end, word


def language(text: str) -> Language:
    """The language that `text` is processed as: Korean if at least a fifth of its letters is Hangul, otherwise
    English."""
    n_letters = sum(map(len, _letters.findall(text)))
    n_hangul = sum(map(len, _hangul_runs.findall(text)))
    return "ko" if n_letters and n_hangul / n_letters >= KOREAN_SHARE else "en"


class Morpheme(NamedTuple):
    """A morpheme of a text as it is written: `text[start:end]`."""

    start: int
    end: int
    #: The part of speech of mecab-ko-dic; of an inflected form, the first one.
    tag: str
    #: What its dictionary says of a proper noun: "인명" for a person, "지명" for a place; "*" for nothing.
    meaning: str


def analysed(text: str) -> Iterator[Morpheme]:
    """Each morpheme of a Korean text."""
    text = _unsafe.sub(" ", text)
    for match in heartbeat.beating(_piece.finditer(text)):
        position = match.start()
        for surface, feature in _morphemes(match.group()):
            position = text.index(surface, position)
            tag, _, rest = feature.partition(",")
            yield Morpheme(position, position + len(surface), tag.partition("+")[0], rest.partition(",")[0])
            position += len(surface)


def morphemes(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, part of speech) of each morpheme of a Korean text."""
    for found in analysed(text):
        yield found.start, found.end, found.tag


def has_hangul(text: str) -> bool:
    """Whether the text has any Hangul."""
    return _hangul.search(text) is not None


def segmented(text: str) -> str:
    """`text` with a space between words, and between the morphemes of words with Hangul.

    Each word is analysed by itself, so that it is split in the same way everywhere: n-grams need that more than the
    context, and most words are in the cache.
    """
    return " ".join(
        (_cut if len(word) <= _CACHED_CHARS else _cut.__wrapped__)(word) if _hangul.search(word) else word
        for word in _unsafe.sub(" ", text).split()
    )


@lru_cache(maxsize=200_000)
def _cut(word: str) -> str:
    return " ".join(surface for piece in _piece.findall(word) for surface, _ in _morphemes(piece))


def _korean(piece: str) -> list[str]:
    """The words of a short text that has Hangul."""
    return [word for _, _, word in _located(piece)]


def _located(piece: str) -> list[tuple[int, int, str]]:
    """(start, end, word) of the words of a short text that has Hangul."""
    found = [(*match.span(), match.group()) for match in _word.finditer(piece)]
    n_other, position = len(found), 0
    for surface, feature in _morphemes(piece):
        position = piece.index(surface, position)
        if _hangul.search(surface) and (word := _content(surface, feature)):
            found.append((position, position + len(surface), word))
        position += len(surface)
    if n_other:
        found.sort(key=lambda each: each[0])
    return found


def _morphemes(piece: str) -> list[tuple[str, str]]:
    """The (surface, feature) pairs of MeCab, from its text output: node objects take longer than the analysis."""
    from mecab.utils import create_lattice

    lattice = create_lattice(piece)
    _mecab()._tagger.parse(lattice)
    lines = str(lattice.to_string()).split("\n")
    return [(surface, feature) for surface, tab, feature in (line.partition("\t") for line in lines) if tab]


@lru_cache(maxsize=200_000)
def _content(surface: str, feature: str) -> str | None:
    """The word for a content morpheme; None for other morphemes.

    The features of mecab-ko-dic: part of speech (joined by + if inflected), meaning, final consonant, reading, type,
    first and last part of speech, expression ("아름답/VA/*+ᆫ/ETM/*").
    """
    fields = feature.split(",")
    kind = fields[0].partition("+")[0]
    if kind not in CONTENT:
        return None
    if kind not in ("VV", "VA"):
        return surface
    stem = fields[7].partition("/")[0] if fields[4] == "Inflect" else surface
    verb = stem + "다"
    return None if verb in LIGHT_VERBS else verb


@cache
def _mecab() -> MeCab:
    """One analyser per process: loading the dictionary takes time. It is not thread-safe."""
    from mecab import MeCab

    return MeCab()
