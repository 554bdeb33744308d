"""Text into words, Korean and English alike: what similarity, summaries and classification count.

Expects text as the store keeps it (Unicode NFC). Knows nothing of vocabularies, models or sentences.
Korean is cut into morphemes by python-mecab-ko; everything else, also inside Korean text, by one regular
expression, so that "GDP" is the same word wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from nlp_tasks import heartbeat
from readers.markup import plain

if TYPE_CHECKING:
    from mecab import MeCab

Language: TypeAlias = Literal["ko", "en"]

#: Parts of speech that carry content: nouns, numerals, roots, verbs, adjectives, adverbs. Particles and endings go.
CONTENT = frozenset({"NNG", "NNP", "NR", "XR", "VV", "VA", "MAG", "UNKNOWN"})
#: Verbs that mean little alone: to do, become, be, not be, not do, be like, because of.
LIGHT_VERBS = frozenset(
    {"하다", "되다", "있다", "없다", "않다", "같다", "이다", "따르다", "위하다", "대하다", "의하다"}
)
#: A text is Korean when Hangul is at least this share of its letters (one syllable says what 2-3 Latin letters do).
KOREAN_SHARE = 0.2

#: MeCab's time grows with the square of the piece it is given (1 s for 50,000 characters, 4 min for 1,000,000).
_PIECE_CHARS = 400
#: Longer words hardly come again.
_CACHED_CHARS = 30
_HANGUL = "\uac00-\ud7a3\u1100-\u11ff\u3130-\u318f"
_hangul = re.compile(f"[{_HANGUL}]")
_hangul_runs = re.compile(f"[{_HANGUL}]+")
_letters = re.compile(r"[^\W\d_]+")
#: Numbers with their separators, else letters and digits, with an inner apostrophe; a possessive 's is no word.
_word = re.compile(
    rf"\d+(?:[.,]\d+)+(?![^\W{_HANGUL}_])|(?!(?<=['’])s\b)[^\W{_HANGUL}_]+(?:['’](?!s\b)[^\W{_HANGUL}_]+)?"
)
#: A line, cut at spaces when long, and anywhere when it has none.
_piece = re.compile(rf"[^\n]{{1,{_PIECE_CHARS}}}(?=\s|$)|[^\n]{{{_PIECE_CHARS}}}|[^\n]+")
#: What MeCab refuses (lone surrogates), stops at (NUL) or takes for a line end; and the middle dot ㆍ
_unsafe = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u318d\ud800-\udfff]")


def tokens(text: str) -> list[str]:
    """The words of `text` in their order: Korean content morphemes and lower-cased other words and numbers.

    Korean verbs and adjectives come in dictionary form ("아름다운" gives "아름답다"); particles, endings
    and light verbs are left out, and so is markup. Never raises, whatever the text; time is linear in its length.
    """
    heartbeat.beat()
    text = _unsafe.sub(" ", plain(text)).lower()
    if not _hangul.search(text):
        return _word.findall(text)
    words: list[str] = []
    for piece in heartbeat.beating(_piece.findall(text)):
        words += _korean(piece) if _hangul.search(piece) else _word.findall(piece)
    return words


def language(text: str) -> Language:
    """The language that `text` is worked on as: Korean if a fifth of its letters is Hangul, else English."""
    n_letters = sum(map(len, _letters.findall(text)))
    n_hangul = sum(map(len, _hangul_runs.findall(text)))
    return "ko" if n_letters and n_hangul / n_letters >= KOREAN_SHARE else "en"


def morphemes(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, part of speech) of each morpheme of a Korean text, by mecab-ko-dic's tags; the first one of
    an inflected form. `text[start:end]` is the morpheme as it is written."""
    text = _unsafe.sub(" ", text)
    for match in heartbeat.beating(_piece.finditer(text)):
        position = match.start()
        for surface, feature in _morphemes(match.group()):
            position = text.index(surface, position)
            yield position, position + len(surface), feature.partition(",")[0].partition("+")[0]
            position += len(surface)


def has_hangul(text: str) -> bool:
    """Whether any of it is Korean."""
    return _hangul.search(text) is not None


def segmented(text: str) -> str:
    """`text` with one space between any two words, and between the morphemes of those with some Hangul.

    Each word is cut by itself: the same word is cut the same way wherever it stands, which n-grams like better than
    what its neighbours would make of it, and most words have been cut before.
    """
    return " ".join(
        (_cut if len(word) <= _CACHED_CHARS else _cut.__wrapped__)(word) if _hangul.search(word) else word
        for word in _unsafe.sub(" ", text).split()
    )


@lru_cache(maxsize=200_000)
def _cut(word: str) -> str:
    return " ".join(surface for piece in _piece.findall(word) for surface, _ in _morphemes(piece))


def _korean(piece: str) -> list[str]:
    """The words of a short text with some Hangul in it."""
    found = [(match.start(), match.group()) for match in _word.finditer(piece)]
    n_other, position = len(found), 0
    for surface, feature in _morphemes(piece):
        position = piece.index(surface, position)
        if _hangul.search(surface) and (word := _content(surface, feature)):
            found.append((position, word))
        position += len(surface)
    if n_other:
        found.sort(key=lambda each: each[0])
    return [word for _, word in found]


def _morphemes(piece: str) -> list[tuple[str, str]]:
    """MeCab's (surface, feature) pairs. Its text form, since making node objects takes longer than the analysis."""
    from mecab.utils import create_lattice

    lattice = create_lattice(piece)
    _mecab()._tagger.parse(lattice)
    lines = str(lattice.to_string()).split("\n")
    return [(surface, feature) for surface, tab, feature in (line.partition("\t") for line in lines) if tab]


@lru_cache(maxsize=200_000)
def _content(surface: str, feature: str) -> str | None:
    """The word that a morpheme counts as, if it carries content.

    mecab-ko-dic's features: part of speech (joined by + if inflected), meaning, final consonant, reading,
    type, first and last part of speech, expression ("아름답/VA/*+ᆫ/ETM/*").
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
    """One analyser per process: loading the dictionary takes a while, and it is not for two threads at once."""
    from mecab import MeCab

    return MeCab()
