"""The lines of a text, and which of them are one line that was wrapped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from nlp_tasks.sentences.word_lists import KOREAN_OPEN
from nlp_tasks.sentences.wrapping import Line, judge

#: What ends a line: \r\n, \n, \r, vertical tab, form feed, NEL, and Unicode's line and paragraph separators.
_LINE = re.compile(r"[^\n\r\v\f\x85\u2028\u2029]+")
_BREAK = re.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")
#: Blank, but not to str.strip: zero-width space, joiners, word joiner, byte order mark.
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_BLANKS = "".join(chr(c) for c in range(0x3001) if chr(c).isspace()) + _INVISIBLE
_RUN = re.compile(f"[{re.escape(_BLANKS)}]*")
#: The start of a line that begins something new: a list mark, a heading mark, a table cell, a speaker's dash.
_MARK = re.compile(
    r"[-*•·◦▪■□○●◎◆◇▶▷※☞#>|+–—]"
    r"|[①-⑳㉠-㉻ⓐ-ⓩ]|[(\[]?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5}|[가나다라마바사아자차카타파하])[.)\]]\s|제\s?\d+\s?[조장절편항](?=[\s(（]|\Z)"
)
#: The end of a line that ends its sentence (a closing mark may follow), or announces what follows.
_DONE = re.compile(r"(?:[.!?…。！？:;：]|[가-힣][다요죠음함임됨까])[\"'”’)\]」』》〉]*\Z")
#: Lines of at most this length that start and end with lower-case letters are a list, not one sentence.
_SHORT_CHARS = 20

#: A longer paragraph is judged in parts of this many lines, which may have different widths.
_JUDGED_LINES = 100


def trimmed(text: str, start: int, end: int) -> Line:
    """The offsets without the blanks at both ends; (end, end) if there is nothing else."""
    part = text[start:end]
    left = len(part) - len(part.lstrip(_BLANKS))
    return (start + left, end - (len(part) - len(part.rstrip(_BLANKS)))) if left < len(part) else (end, end)


def after_blanks(text: str, start: int, end: int) -> int:
    """The offset of the first character that is not blank, or `end`."""
    match = _RUN.match(text, start, end)
    return match.end() if match else start


def blocks(text: str) -> Iterator[Line]:
    """Offsets of the stretches of running text: single lines, or several lines that were one before wrapping."""
    width: tuple[int, int] | None = None
    for paragraph in _paragraphs(text):
        soft, width = _soft(text, paragraph, width)
        start, end = paragraph[0]
        for line, is_soft in zip(paragraph[1:], soft, strict=True):
            if not is_soft and not _continues(text, (start, end), line):
                yield start, end
                start = line[0]
            end = line[1]
        yield start, end


def _soft(
    text: str, paragraph: list[Line], width: tuple[int, int] | None
) -> tuple[list[bool], tuple[int, int] | None]:
    """Whether each line end but the last comes from wrapping, and the width; long paragraphs are judged in parts."""
    hard = [_is_new(text, before, line) for before, line in pairwise(paragraph)]
    soft: list[bool] = []
    for first in range(0, len(hard), _JUDGED_LINES):
        last = min(first + _JUDGED_LINES, len(hard))
        wrap = judge(text, paragraph[first : last + 1], hard[first:last], width)
        soft += wrap.soft
        width = wrap.width or width
    return soft, width


def _is_new(text: str, line: Line, following: Line) -> bool:
    """Whether `following` starts something new: a list item or a heading. 제3조 may also be inside a sentence."""
    spoken_of = text[following[0]] == "제" and text[line[1] - 1] in KOREAN_OPEN
    return text[line[0]] in "#|" or (_MARK.match(text, *following) is not None and not spoken_of)


def _paragraphs(text: str) -> Iterator[list[Line]]:
    """Lines that follow one another without a blank line between them."""
    paragraph: list[Line] = []
    after = 0
    for match in _LINE.finditer(text):
        start, end = trimmed(text, match.start(), match.end())
        if paragraph and (start == end or _breaks(text, after, match.start()) > 1):
            yield paragraph
            paragraph = []
        after = match.end()
        if start < end:
            paragraph.append((start, end))
    if paragraph:
        yield paragraph


def _breaks(text: str, start: int, end: int) -> int:
    """The number of line breaks between two offsets, at most two."""
    first = _BREAK.match(text, start, end)
    return 2 if first and first.end() < end else 1


def _continues(text: str, line: Line, following: Line) -> bool:
    """Whether `following` continues the sentence of `line`, judged by these two lines alone."""
    (start, end), head = line, text[following[0]]
    if _DONE.search(text, max(start, end - 6), end) or _MARK.match(text, *following) or text[start] in "#|":
        return False
    last = text[end - 1]
    goes_on = last in "”’)" or (end - start > _SHORT_CHARS and (last.islower() or last in ",-"))
    return goes_on and head.islower() and head.isascii()
