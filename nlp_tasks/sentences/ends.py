"""Where a sentence may end inside a line, and whether it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from nlp_tasks.sentences import missing_spaces
from nlp_tasks.sentences.lines import after_blanks
from nlp_tasks.sentences.word_lists import (
    BEFORE_NAMES,
    BEFORE_NUMBERS,
    BOUND_QUOTING,
    KOREAN_FINALS,
    LIST_SYLLABLES,
    MAY_END,
    QUOTING,
    starts_sentences,
)

_CLOSERS = r"(?:[\"'”’)\]}」』》〉]| ?\[\d{1,3}\])*"
#: A run of stops with the closing marks after it; or a Korean ending with ~ or ㅋㅋ, or without a stop.
_CANDIDATE = re.compile(
    rf"(?P<stop>[.!?…。！？｡]+){_CLOSERS}"
    r"|(?<=[가-힣])(?<=[다요죠음함임네지])[~∼ㅋㅎㅠㅜ♡♥^;]+(?=\s)"
    r"|[가-힣](?:니다|[세네어아해군에예워라려져봐줘써래게데까나]요)(?=\s)"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z.]*\Z")
_NUMBER = re.compile(r"(?:^|[\s(\[])\d[\d.,]*\Z")
_LIST_MARK = re.compile(
    r"[#>*•·\-\s]*[(\[<]?(?:\d{1,3}(?:\\?\.\d{1,3})*|[A-Za-z]|[IVXivx]{1,5}|[가나다라마바사아자차카타파하])\\?[.)\]>]+\Z"
)
#: A sentence that ends in a noun form: 했음, 없음, 개최함, 마련됨.
_NOUN_STYLE = re.compile(r"(?:[았었했겠있없됐졌렸]음|[가-힣][가-힣][함됨])\Z")
_OPENERS = re.compile(r"[\"'“‘(\[「『《〈<]*")
_BOUND = 24


class Candidate(NamedTuple):
    """A place where a sentence may end."""

    start: int  # of the run of stops
    stops: str  # the run itself; empty for a Korean ending without a stop
    end: int  # after the closing marks
    next: int  # of what follows, after any blanks


def candidates(text: str, start: int, end: int) -> Iterator[Candidate]:
    """The places in `text[start:end]` where a sentence may end, from left to right."""
    for match in _CANDIDATE.finditer(text, start, end):
        yield Candidate(match.start(), match["stop"] or "", match.end(), after_blanks(text, match.end(), end))


def is_end(text: str, sentence: int, at: Candidate) -> bool:
    """Whether the sentence that starts at `sentence` ends here, with more text after it on the line."""
    if BOUND_QUOTING.match(text, at.next, at.next + 4):
        return False
    if QUOTING.match(text, at.next, at.next + 8) and _quoting_fits(text, at):
        return False
    if not at.stops:
        return _jongseong_fits(text, at)
    if at.next == at.end:
        return _ends_without_blank(text, at)
    if at.end - sentence <= _BOUND and _LIST_MARK.match(text[sentence : at.end]):
        return False
    return _ends_before_blank(text, sentence, at)


def _quoting_fits(text: str, at: Candidate) -> bool:
    """Whether a quoting word follows: 갔습니다 라고, "가요." 하고, Samsung Co., Ltd. 라고."""
    closed = at.end > at.start + len(at.stops)
    return not at.stops or closed or at.next == at.end or not _hangul(text[at.start - 1 : at.start])


def _jongseong_fits(text: str, at: Candidate) -> bool:
    """니다 ends a sentence after a syllable with final ㅂ only (합니다, not 어머니다)."""
    if text[at.end - 2 : at.end] != "니다":
        return True
    return (ord(text[at.start]) - 0xAC00) % 28 == 17


def _ends_without_blank(text: str, at: Candidate) -> bool:
    """If no blank follows, 했다.그리고 and 왔니?응 are ends; 3.14, U.S., naver.com and "갔다."라고 are not."""
    before, after = text[at.start - 1 : at.start], text[at.end]
    closed = at.end > at.start + len(at.stops)
    if at.stops[-1] in "。！？｡":
        return not _hangul(after) or not closed
    if _hangul(before) and (_hangul(after) or after in "“\"'‘「『" or after.isupper() or after.isdigit()):
        return not closed and _korean_word_ends(text, at)
    return missing_spaces.is_end(text, at.start, at.stops, at.end)


def _korean_word_ends(text: str, at: Candidate) -> bool:
    """Whether the Korean word before the stop ends a sentence: 했다.3월, 없음.다음, but not 카카오.다음, 가.나.다.1."""
    if at.stops[-1] in "!?" or _NOUN_STYLE.search(text, max(0, at.start - 3), at.start):
        return True
    return text[at.start - 1] in "다요죠까" and _hangul(text[at.start - 2 : at.start - 1])


def _ends_before_blank(text: str, sentence: int, at: Candidate) -> bool:
    head = _OPENERS.match(text, at.next)
    follows = text[head.end()] if head and head.end() < len(text) else text[at.next]
    if follows in ".!?…,;:)":
        return False
    informal = text[sentence].islower() and at.stops == "."
    if follows.islower() and follows.isascii() and not informal:
        return False
    if at.stops[-1] in "!?。！？｡":
        return True
    start = (
        at.start - 1 if text[at.start - 1 : at.start] == " " else at.start
    )  # "it is so ." in tokenized text
    before = text[start - 1 : start]
    if len(at.stops) > 1 or at.stops == "…":
        return before in KOREAN_FINALS or not _hangul(follows)
    if _hangul(before):
        return not (before in LIST_SYLLABLES and text[start - 2 : start - 1] in " (")
    if at.end > at.start + 1 and text[at.end - 1] != "]":
        return True  # closed by a quote or bracket: 'He left (in 1999.) Then'
    if before.isdigit():
        return _number_ends(text, start, follows)
    return _word_ends(text, sentence, start, head.end() if head else at.next)


def _number_ends(text: str, start: int, follows: str) -> bool:
    """A number ends an English sentence (in 1999. The); Korean dates and list marks continue (2020. 1. 5. 공포)."""
    if not _NUMBER.search(text, max(0, start - _BOUND), start):
        return True
    return follows.isupper()


def _word_ends(text: str, sentence: int, start: int, following: int) -> bool:
    """Whether the Latin word before the stop, which may be an abbreviation, ends a sentence."""
    match = _WORD.search(text, max(0, start - _BOUND), start)
    if not match:
        return True
    word, follows = match[0].lower(), text[following : following + 1]
    if word in BEFORE_NAMES:
        return False
    if word in BEFORE_NUMBERS and follows.isdigit():
        return False
    initial = len(word) == 1 and match[0].isupper()
    if initial or word in MAY_END or (len(word) > 2 and word[1] == "." and word[-2] == "."):
        whole = word == "no" and start - sentence < 4  # "No." is an answer here, not a number
        return whole or starts_sentences(text, following) or (_hangul(follows) and not initial)
    return True


def _hangul(character: str) -> bool:
    return "가" <= character <= "힣"
