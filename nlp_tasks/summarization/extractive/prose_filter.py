"""Which sentences of a document may be in a summary: prose, not headings, table rows or fragments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nlp_tasks import addresses
from nlp_tasks.sentences import Span
from nlp_tasks.summarization.extractive import filings

#: A syllable that ends Korean sentences, except in words such as 개요, 수요, 다음, 마음, 책임, 게임.
_FINAL = r"(?:[다죠됨까]|(?<![개수주필중소])요|(?<![다마처])음|(?<![책게])임|함)"
#: A mark that ends a sentence, or a Korean ending without one.
_ENDED = re.compile(rf"(?:[.!?…。！？:;]|{_FINAL})[\"'”’)\]」』》〉]*\Z")
_ENDED_IN_KOREAN = re.compile(rf"(?:[!?]|{_FINAL})\W*\Z")
_GAP = re.compile(r"\S {3,}(?=\S)")
_NO_LETTERS = re.compile(r"[\W\d_]+")
_MARKUP = re.compile(r"#{1,6}\s|<!--|```|\|")
#: A sentence alone on its line, of at most this length and without a verb ending, is a heading, even with a full stop.
_HEADING_CHARS = 20
#: A sentence alone on its line, of at most this length and without a full stop, is a heading.
_UNENDED_CHARS = 80
#: A sentence with a smaller share of letters among its non-blank characters consists of figures.
_LETTER_SHARE = 0.5
#: Copyright notices and bylines.
_NOTICE = re.compile(
    r"(?:무단\s?(?:전재|복제|배포)|재배포)[^.]{0,12}금지|[Aa]ll rights reserved|저작권자\s?[ⓒ©(]"
    r"|^[가-힣]{2,4} 기자\W*\Z"
)
_NOTICE_CHARS = 160


def prose(text: str, spans: Sequence[Span]) -> list[int]:
    """The indexes of the spans that are prose, without a filing's sentences about itself; all indexes if none is."""
    chosen = [index for index, span in enumerate(spans) if _is_prose(text, *span)]
    if start := filings.body_start(text):
        chosen = [i for i in chosen if spans[i][0] >= start and not filings.is_aside(text, *spans[i])]
    return chosen or list(range(len(spans)))


def _is_prose(text: str, start: int, end: int) -> bool:
    sentence = text[start:end]
    if _MARKUP.match(sentence) or _cells(sentence) > 1 or addresses.is_mostly(sentence):
        return False
    if len(_NO_LETTERS.sub("", sentence)) < _LETTER_SHARE * (len(sentence) - sentence.count(" ")):
        return False
    if len(sentence) <= _NOTICE_CHARS and _NOTICE.search(sentence):
        return False
    return not (_own_line(text, start, end) and _is_heading(sentence))


def _cells(sentence: str) -> int:
    """The number of gaps between table cells."""
    gaps = len(_GAP.findall(sentence)) if "   " in sentence else 0
    return sentence.count("\t") + sentence.count("|") + gaps


def _is_heading(line: str) -> bool:
    if not _ENDED.search(line[-8:]):
        return len(line) <= _UNENDED_CHARS
    return len(line) <= _HEADING_CHARS and not _ENDED_IN_KOREAN.search(line) and "가" <= line[0] <= "힣"


def _own_line(text: str, start: int, end: int) -> bool:
    """Whether there is nothing else on the line."""
    before, after = text[max(0, start - 4) : start].strip(" \t"), text[end : end + 4].strip(" \t")
    return (not before or before[-1] in "\r\n\u2028") and (not after or after[0] in "\r\n\u2028")
