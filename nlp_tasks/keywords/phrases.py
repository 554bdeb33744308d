"""The words of a text that may be part of a keyword, in phrases: Korean nouns, English content words, Chinese and
Japanese compounds.

Knows parts of speech and stop words, not how important a word is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from nlp_tasks import addresses
from nlp_tasks.keywords import chinese_japanese, stop_words
from nlp_tasks.keywords.parts_of_speech import Part, part
from nlp_tasks.keywords.word import Word
from nlp_tasks.text import morphemes

#: Common and proper nouns.
_NOUNS = frozenset({"NNG", "NNP"})
#: Prefixes and suffixes belong to the noun that they are written with: 경쟁 + 력, 신 + 기술.
_PREFIX, _SUFFIX = "XPN", "XSN"
#: Suffixes that do not make a new term: plurals, "-like", "each", honorifics.
_LIGHT_SUFFIXES = frozenset({"들", "적", "씩", "님", "쯤", "꼴", "짜리"})
#: Parts of speech that are not written together with a noun: where they seem to be, a word was analysed wrongly.
_BROKEN = frozenset({"NP", "MM", "MAG", "IC", "VV", "VA", "XR", "UNKNOWN"})
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
#: Longer sequences are not words but noise, or clauses in a script without blanks.
_LONGEST_CHARS = 40
#: What may be between two words of a term: blanks, or a line end.
_JOINT = re.compile(r"[ \t\u00a0]*|\r?\n?")


def phrases(text: str) -> list[list[Word]]:
    """The words of a text in phrases: words that follow each other with only blanks between them.

    Links, addresses, file names and single jamo are not words, and end a phrase.
    """
    spoken = text
    for pattern in (_jamo, _notice):
        spoken = pattern.sub(lambda match: "," * len(match[0]), spoken)
    masked = addresses.masked(spoken, ",")
    words = english(masked)
    if _korean.search(masked):
        words += korean(addresses.masked(spoken, "x"))  # looks like a noun to the particle that follows it
    words = sorted(words + chinese_japanese.words(masked), key=lambda word: word.start)
    runs: list[list[Word]] = []
    for word in words:
        if runs and _JOINT.fullmatch(text, runs[-1][-1].end, word.start):
            runs[-1].append(word)
        else:
            runs.append([word])
    return runs


def english(text: str) -> list[Word]:
    """Nouns, and adjectives that may stand before them, in Latin (or other non-Korean) letters."""
    found = []
    spelled = [(*match.span(), match.group()) for match in _english.finditer(text)]
    for place, (start, end, word) in enumerate(spelled):
        # &sum; 3rd, 5km; noise
        if word[0] == "&" or word[0].isdigit() or end - start > _LONGEST_CHARS:
            continue
        if word[-2:] in ("'s", "’s"):
            end -= 2
        name = text[start:end].lower().replace("’", "'")
        if end - start < 2 or _says_little(name):
            continue
        before = _beside(text, spelled, place, -1)
        is_name = word[0].isupper() and before != "" and not before.endswith(".")
        kind = part(name, before, _beside(text, spelled, place, 1), is_name)
        if kind is not Part.NEITHER:
            found.append(Word(name, start, end, closes=kind is Part.NOUN))
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
                found[-1] = Word(text[found[-1].start : end], found[-1].start, end, found[-1].opens)
        elif tag in _NOUNS and _korean.search(text, start, end):
            first = prefix if prefix >= 0 and text[start - 1] != " " else start
            opens = first < start or before[0] != start or before[1] not in _BROKEN
            found.append(Word(text[first:end], first, end, opens))
        elif found and found[-1].end == start and (tag == _ADJECTIVE or (tag in _BROKEN and end - start > 1)):
            found[-1] = replace(found[-1], closes=False)
        prefix = start if tag == _PREFIX else -1
        before = (end, tag)
    return [word for word in found if word.name not in stop_words.KOREAN]
