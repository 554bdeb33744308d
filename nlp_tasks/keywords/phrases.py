"""The words of a text that may be part of a keyword, in phrases: Korean nouns, English content words, Chinese and
Japanese compounds.

Knows parts of speech and stop words, not how important a word is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from nlp_tasks import addresses
from nlp_tasks.keywords import chinese_japanese, stop_words
from nlp_tasks.keywords.parts_of_speech import Part, part
from nlp_tasks.keywords.word import Word
from nlp_tasks.text import morphemes

#: Common and proper nouns.
_NOUNS = frozenset({"NNG", "NNP"})
_PROPER_NOUN = "NNP"
#: Prefixes and suffixes belong to the noun that they are written with: 경쟁 + 력, 신 + 기술.
_PREFIX, _SUFFIX = "XPN", "XSN"
#: "That over there", which is hardly ever written: MeCab takes 저수지 apart as 저 + 수지.
_LIKE_PREFIX = ("MM", "저")
#: Suffixes that do not make a new term: plurals, "-like", "each", honorifics.
_LIGHT_SUFFIXES = frozenset({"들", "적", "씩", "님", "쯤", "꼴", "짜리"})
#: Parts of speech that are not written together with a noun: where they seem to be, a word was analysed wrongly.
_BROKEN = frozenset({"NP", "MM", "MAG", "IC", "VV", "VA", "XR", "UNKNOWN"})
#: Of these, what a single syllable of an unknown word is taken for: 챔피언스리 + 그.
_PIECES = frozenset({"NP", "MM", "IC", "XR", "UNKNOWN"})
#: Nouns that end as if with a particle.
_NO_PARTICLE = frozenset({"겨를"})
#: What makes an adjective of a noun: 가능 + 한. Such a noun is not what a term ends with.
_ADJECTIVE = "XSA"
#: Foreign letters inside Korean text are found as English words, since MeCab splits them differently.
_korean = re.compile(r"[가-힣]")
#: Not in words of other scripts: Hangul, Han and kana, which are found elsewhere. Single jamo are masked before.
_other = r"가-힣\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff" + chinese_japanese.LETTERS
_english = re.compile(
    rf"&\w+;|\d[^\W_{_other}]*|[^\W\d_{_other}]+(?:[-'’][^\W_{_other}]+|\.(?:js|NET|com|io)\b)*[0-9]*"
)
#: Laughter, crying and abbreviations that are written in single jamo.
_jamo = re.compile("[\u3130-\u318f\uffa0-\uffdc]+")
#: Copyright notices.
_notice = re.compile(
    r"(?:[ⓒ©][^\n.ⓒ©]{0,30}|저작권자[^\n.]{0,30})?무단\s?(?:전재|복제|배포)[^\n.]{0,20}금지|[Aa]ll rights reserved"
)
#: What is in a text without being said: notes of transcripts, places of formulas, and references to parts of a law.
_marks = re.compile(
    r"\{[A-Za-z_]+\}|\b[A-Za-z]+_\{?\d+\}?(?!\.?[A-Za-z0-9_])"
    r"|제\d+(?:조|항|호|목|장|절|편|관)(?:의\d+)?(?:제\d+(?:조|항|호|목)(?:의\d+)?)*"
)
#: The same word again in Chinese characters, or in Latin or Cyrillic letters: 영국사(寧國寺), 에디 클라크(Eddie Clarke,
_gloss = re.compile(
    r"(?<=[가-힣])\((?:[^()\n]{0,60}[\u4e00-\u9fff][^()\n]{0,60}\)"
    r"|[^()\n가-힣,;]{0,60}[A-Za-z\u00c0-\u024f\u0400-\u04ff][^()\n가-힣,;]{0,60}(?=[),;]))"
)
#: A heading that stands before its first sentence as if it were a part of it: "1 Introduction Semantic parsing is".
_heading = re.compile(
    r"(?:^|(?<=[.!?]\s)|(?<=\d\s)|(?<=\d\.\s))"
    r"(?:I(?:ntroduction|NTRODUCTION)|C(?:onclusions?|ONCLUSIONS?)|A(?:cknowledge?ments?|CKNOWLEDGE?MENTS?)"
    r"|Related Work|RELATED WORK)"
    r"(?=\s{1,4}[A-Z])",
    re.MULTILINE,
)
#: Who speaks, at the beginning of a line. It is a label if it is there at least this often.
_speaker = re.compile(r"^[^\W\d_][\w.]{0,15}(?: [\w.]{1,15}){0,3} ?:(?=\s)", re.MULTILINE)
_SPEAKS = 3
#: Longer sequences are not words but noise, or clauses in a script without blanks.
_LONGEST_CHARS = 40
#: What may be between two words of a term: blanks, or a line end.
_JOINT = re.compile(r"[ \t\u00a0]*|\r?\n?")


def phrases(text: str) -> list[list[Word]]:
    """The words of a text in phrases: words that follow each other with only blanks between them.

    Links, addresses, file names and single jamo are not words, and end a phrase.
    """
    spoken = _without_speakers(text)
    for pattern in (_jamo, _notice, _marks, _gloss, _heading):
        spoken = pattern.sub(_commas, spoken)
    masked = addresses.masked(spoken, ",")
    words = english(masked)
    if _korean.search(masked):
        words += korean(addresses.masked(spoken, "x"))  # looks like a noun to the particle that follows it
    words = sorted(words + chinese_japanese.words(masked), key=lambda word: word.start)
    words = words or english(masked, fewest_letters=2)
    runs: list[list[Word]] = []
    for word in words:
        if runs and _JOINT.fullmatch(text, runs[-1][-1].end, word.start):
            runs[-1].append(word)
        else:
            runs.append([word])
    return runs


def _commas(match: re.Match[str]) -> str:
    return "," * len(match[0])


def _without_speakers(text: str) -> str:
    """The text without the names of those who speak, which are at the beginning of most lines of a transcript."""
    if text.count(":") < _SPEAKS:
        return text
    labels = Counter(match[0] for match in _speaker.finditer(text))
    return _speaker.sub(lambda match: _commas(match) if labels[match[0]] >= _SPEAKS else match[0], text)


def english(text: str, fewest_letters: int = 3) -> list[Word]:
    """Nouns, and adjectives that may stand before them, in Latin (or other non-Korean) letters. Two small letters are
    mostly a symbol or the end of a number, not a word, and `fewest_letters` counts only for these."""
    found = []
    spelled = [(*match.span(), match.group()) for match in _english.finditer(text)]
    for place, (start, end, word) in enumerate(spelled):
        # &sum; 3rd, 5km; noise
        if word[0] == "&" or word[0].isdigit() or end - start > _LONGEST_CHARS:
            continue
        if word[-2:] in ("'s", "’s"):
            end -= 2
        name = text[start:end].lower().replace("’", "'")
        is_symbol = end - start < fewest_letters and word.islower() and word.isascii()
        # A bank is ING.
        if end - start < 2 or is_symbol or word in stop_words.ENGLISH_ENDS or _says_little(name):
            continue
        before = _beside(text, spelled, place, -1)
        is_name = word[0].isupper() and before != "" and not before.endswith(".")
        kind = part(name, before, _beside(text, spelled, place, 1), is_name)
        if kind is not Part.NEITHER:
            found.append(Word(name, start, end, closes=kind is Part.NOUN, is_name=is_name))
    return found


def _beside(text: str, spelled: Sequence[tuple[int, int, str]], place: int, step: int) -> str:
    """The word before (-1) or after (1) another one in lower case, if there are only blanks between them."""
    other = place + step
    if not 0 <= other < len(spelled):
        return ""
    first, second = sorted((spelled[place], spelled[other]))
    return spelled[other][2].lower() if text[first[1] : second[0]].isspace() else ""


def _says_little(name: str) -> bool:
    """Whether a word is a stop word, a contraction of one, or an adverb."""
    if name in stop_words.ENGLISH or name.partition("'")[0] in stop_words.ENGLISH:
        return True
    return len(name) > 4 and name.endswith("ly") and name not in stop_words.NO_ADVERBS


def korean(text: str) -> list[Word]:
    """Nouns with the prefixes and suffixes that are written with them, without stop words.

    A term does not begin with a noun that a part of the same word stands before, unless that is a particle or an ending
    (the space between them is missing): MeCab takes unknown names apart, 나이트라이드 as 나 + 이트 + 라이드.
    """
    found: list[Word] = []
    prefix = -1  # start of a prefix that is waiting for its noun
    before = (0, "")  # end and part of speech of the morpheme before
    for start, end, tag in morphemes(text):
        if tag == _SUFFIX and found and found[-1].end == start:
            if text[start:end] not in _LIGHT_SUFFIXES:
                found[-1] = replace(found[-1], name=text[found[-1].start : end], end=end, closes=True)
        elif tag in _NOUNS and _korean.search(text, start, end):
            end -= _with_particle(text, start, end)
            first = prefix if prefix >= 0 and text[start - 1] != " " else start
            opens = first < start or before[0] != start or before[1] not in _BROKEN
            found.append(Word(text[first:end], first, end, opens, is_name=tag == _PROPER_NOUN))
        elif found and found[-1].end == start and _breaks(tag, end - start):
            found[-1] = replace(found[-1], closes=False)
        prefix = start if tag == _PREFIX or (tag, text[start:end]) == _LIKE_PREFIX else -1
        before = (end, tag)
    return [word for word in found if word.name not in stop_words.KOREAN]


def _breaks(tag: str, size: int) -> bool:
    """Whether a morpheme of this size is no particle, so that the noun before it is only a part of its word."""
    return tag == _ADJECTIVE or tag in _PIECES or (tag in _BROKEN and size > 1)


def _with_particle(text: str, start: int, end: int) -> bool:
    """Whether MeCab took the particle at the end of an unknown word for a part of it: 시정 + 촌은."""
    if end - start < 2 or (end < len(text) and text[end].isalnum()) or text[start:end] in _NO_PARTICLE:
        return False
    closed = (ord(text[end - 2]) - ord("가")) % 28 > 0 if "가" <= text[end - 2] <= "힣" else None
    return (closed is True and text[end - 1] in "은을") or (closed is False and text[end - 1] in "는를")
