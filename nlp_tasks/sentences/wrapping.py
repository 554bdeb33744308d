"""Whether the lines of a paragraph are one text that was wrapped, and which of its line ends come from wrapping.

Judges a paragraph as a whole: wrapping puts as many words on a line as fit, so that no line has room for the first word
of the next one, and most lines end in the middle of a sentence. A poem, a list or a chat has lines with room, or lines
that are complete. Works for any width; time is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from nlp_tasks.sentences.word_lists import BEFORE_NAMES, KOREAN_OPEN, OPEN_WORDS

Line = tuple[int, int]

#: Characters that take two columns: Hangul, Han, kana, full-width forms.
_WIDE = re.compile("[ᄀ-ᅟ⺀-\ua4cf가-힣\uf900-\ufaff︰-﹏！-｠￠-￦]+")
#: Scripts without blanks between words: a line may end after any character of them.
_UNSPACED = re.compile("[⺀-\u2fdf々-〇ぁ-\u312f\u31a0-\ua4cf\uf900-\ufaff]")
_FIRST_WORD = re.compile(r"\S+")
#: A stop (a closing mark may follow) at the end of a line, or before a blank inside one.
_STOPPED = re.compile(r"[.!?…。！？][\"'”’)\]」』》〉]*\Z")
_STOP_INSIDE = re.compile(r"[^\W\d_][\"'”’)\]」』》〉%]?(?:[.!?…][\"'”’)\]」』》〉]*[ \t]+\S|[。！？]\S)")
_KOREAN_FINAL = re.compile(
    r"(?:[가-힣](?P<da>다)|[세네어아해군에예워라려져봐줘써래게데까나지]요|죠|[니을를할될]까|[었았했겠있없됐졌렸]음|(?<!포)함"
    r"|(?<![책게모선])임|됨|시오|[~∼ㅋㅎㅠㅜ♡♥^])[\"'”’)\]」』》〉]*\Z"
)
#: Before 다: the final consonants ㄴ, ㅄ and ㅆ (한다, 없다, 했다), and stems that have none of these.
_FINAL_JONGSEONG = frozenset({4, 18, 20})
_FINAL_STEMS = frozenset("이하되니르같싶좋않많크")
_ANNOUNCED = re.compile(r"[:：][\"'”’)\]」』》〉]*\Z")
_KOREAN_WORD_END = re.compile(r"([가-힣])(?=\s)")
#: A line of table cells, or of a label and its value.
_CELLS = re.compile(r"\t|\||\S {3,}\S")
_LABELLED = re.compile(r"[^\s:：]+(?: [^\s:：]+)?[ \t]?[:：](?:\s|\Z)")
_LAST_WORD = re.compile(r"[A-Za-z]+\Z")
_TAIL = 24

#: Longer lines are paragraphs by themselves.
_WIDEST_CHARS = 200
#: Narrower lines are verse, lists or labels. In columns: a Korean syllable takes two.
_NARROWEST = 20
_NARROWEST_KOREAN = 30
#: The same if a sentence ends inside a line, which does not happen in verse or lists.
_NARROWEST_STOPPED = 24
#: Lines of fewer words than this, on average, are names or items.
_FEWEST_WORDS = 2.0
#: The share of lines without a sentence end that must have no room for the next word, and must clearly continue in the
#: next line.
_FULL_SHARE = 0.8
_OPEN_SHARE = 0.4
#: The same for the words inside Korean lines, if the paragraph ends with a stop; prose has twice as many.
_OPEN_WORDS_SHARE = 0.4
#: Lines that were broken at any character differ from the widest by at most a blank or half a syllable.
_CUT_SLACK = 2
_FEWEST_CUT = 3
#: If lines have uneven lengths (a person broke them), this share must clearly continue in the next line.
_RAGGED_OPEN_SHARE = 0.75
#: In a paragraph wrapped like the one before, no line is wider than this multiple of that one's widest line.
_AS_BEFORE = 1.05
#: A line is full if it is wider than this share of the widest line together with a blank and the next word.
_FULL = 0.9
#: The same for a line that clearly continues; shorter ones are list items.
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Break:
    """The properties of a line end."""

    #: The line ends with a full stop or another mark that ends a sentence.
    stopped: bool
    #: The line ends like a Korean sentence without a stop: ...합니다, ...했음.
    final: bool
    #: The next line starts something new, or this line announces it.
    hard: bool
    #: The line clearly continues in the next one: a particle, a connective, a lower-case letter.
    open: bool
    #: Characters and columns of this line together with the first word of the next one.
    reaches: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Wrap:
    """The line ends of a paragraph, and the width it was wrapped at."""

    #: For each line end but the last, whether the text continues in the next line.
    soft: Sequence[bool]
    #: The unit, characters (0) or columns (1), and the width of the widest line; None if it was not wrapped.
    width: tuple[int, int] | None = None


def judge(text: str, lines: Sequence[Line], hard: Sequence[bool], before: tuple[int, int] | None) -> Wrap:
    """Judge the line ends of a paragraph. `hard[i]`: something new starts after line i, whatever the widths.

    `before` is the width of the wrapped paragraph before this one, if there is one. It helps with a paragraph of two
    lines, which does not show its width.
    """
    unwrapped = Wrap([False] * (len(lines) - 1))
    if len(lines) < 2 or max(end - start for start, end in lines) > _WIDEST_CHARS:
        return unwrapped
    wide = [_n_wide(text[start:end]) for start, end in lines]
    inside = any(_STOP_INSIDE.search(text, *line) for line in lines)
    if not _may_be_prose([text[start:end] for start, end in lines], wide, inside):
        return unwrapped
    breaks = [
        _look(text, line, following, n_wide, is_hard)
        for line, following, n_wide, is_hard in zip(lines, lines[1:], wide, hard, strict=False)
    ]
    if not inside and not _is_cut(lines, wide):  # sentences may end without a stop
        breaks = [replace(each, hard=True) if each.final else each for each in breaks]
    return _judged(text, lines, wide, breaks, before) or unwrapped


def _judged(
    text: str,
    lines: Sequence[Line],
    wide: Sequence[int],
    breaks: Sequence[Break],
    before: tuple[int, int] | None,
) -> Wrap | None:
    unended = [each for each in breaks if not each.hard and not each.stopped]
    if not unended:
        return None
    metric, widest = _metric(lines, wide, unended)
    if before is not None and _is_like(before, lines, wide, unended):
        return _wrap(breaks, *before, even=True)
    n_full = sum(each.reaches[metric] > _FULL * widest for each in unended)
    n_open = sum(each.open for each in unended)
    is_prose = n_open >= _OPEN_SHARE * len(unended) or (len(unended) > 1 and _reads_on(text, lines))
    even = (n_full >= _FULL_SHARE * len(unended) and is_prose) or _is_cut(lines, wide)
    if not even and (len(unended) == 1 or n_open < _RAGGED_OPEN_SHARE * len(unended)):
        return None
    if not any(each.stopped for each in breaks) and not _has_stops(text, lines):
        even = even and len(unended) > 1 and n_open >= _RAGGED_OPEN_SHARE * len(unended)
        return _wrap(breaks, metric, widest, even) if even else None
    return _wrap(breaks, metric, widest, even)


def _wrap(breaks: Sequence[Break], metric: int, widest: int, even: bool) -> Wrap:
    full = [each.reaches[metric] > _FULL * widest for each in breaks]
    half = [each.reaches[metric] > _HALF * widest for each in breaks]
    soft = [
        not each.hard and ((even and is_full) or (each.open and not each.stopped and is_half))
        for each, is_full, is_half in zip(breaks, full, half, strict=True)
    ]
    return Wrap(soft, (metric, widest))


def _is_like(
    before: tuple[int, int], lines: Sequence[Line], wide: Sequence[int], unended: Sequence[Break]
) -> bool:
    """Whether the lines fill the width of the paragraph before, as after wrapping, and are not wider."""
    metric, widest = before
    chars = max(end - start + metric * extra for (start, end), extra in zip(lines, wide, strict=True))
    n_full = sum(each.reaches[metric] > _FULL * widest for each in unended)
    return chars <= _AS_BEFORE * widest and n_full >= _FULL_SHARE * len(unended)


def _has_stops(text: str, lines: Sequence[Line]) -> bool:
    return _ends(text, lines[-1], _STOPPED) or any(_STOP_INSIDE.search(text, *line) for line in lines)


def _look(text: str, line: Line, following: Line, n_wide: int, hard: bool) -> Break:
    start, end = line
    tail = text[max(start, end - _TAIL) : end]
    first = _FIRST_WORD.match(text, *following)
    word = first[0] if first else ""
    if _UNSPACED.match(word):
        word, blank = word[0], 0
    else:
        blank = 1
    chars = end - start + blank + len(word)
    columns = chars + n_wide + _n_wide(word)
    abbreviated = _abbreviated(tail)
    stopped = _STOPPED.search(tail) is not None and not abbreviated
    return Break(
        stopped=stopped,
        final=not stopped and _is_final(tail),
        hard=hard or (_ANNOUNCED.search(tail) is not None and not word[:1].islower()),
        open=abbreviated or (not stopped and _goes_on(tail, text[following[0]])),
        reaches=(chars, columns),
    )


def _abbreviated(tail: str) -> bool:
    """Whether a line ends with an abbreviation that is followed by a name or a number: Dr., vs."""
    word = _LAST_WORD.search(tail[:-1]) if tail.endswith(".") else None
    return word is not None and word[0].lower() in BEFORE_NAMES


def _is_final(tail: str) -> bool:
    """Whether a line ends like a Korean sentence without a stop: 했다, 해요, 했음, but not 보다, 필요, 다음."""
    match = _KOREAN_FINAL.search(tail)
    if match is None or match["da"] is None:
        return match is not None
    before = tail[match.start()]
    return before in _FINAL_STEMS or (ord(before) - 0xAC00) % 28 in _FINAL_JONGSEONG


def _goes_on(tail: str, head: str) -> bool:
    """Whether a line that ends with `tail` continues in a line that starts with `head`."""
    last = tail[-1]
    if "가" <= last <= "힣":
        return last in KOREAN_OPEN
    if last in ",，、·-–":
        return True
    if last.isascii() and last.isalpha():
        word = _LAST_WORD.search(tail)
        return (head.isascii() and head.islower()) or (word is not None and word[0] in OPEN_WORDS)
    if _UNSPACED.match(last):
        return _UNSPACED.match(head) is not None
    return head.isascii() and head.islower() and last not in ".!?…:;"


def _ends(text: str, line: Line, how: re.Pattern[str]) -> bool:
    return how.search(text[max(line[0], line[1] - _TAIL) : line[1]]) is not None


def _may_be_prose(parts: Sequence[str], wide: Sequence[int], inside: bool) -> bool:
    """Whether the lines are wide enough, have enough words, and are not a table or a list of labels."""
    n_chars, n_wide = sum(map(len, parts)), sum(wide)
    widest = max(len(part) + extra for part, extra in zip(parts, wide, strict=True))
    narrowest = _NARROWEST_STOPPED if inside else _NARROWEST_KOREAN
    if widest < (narrowest if n_wide * 2 > n_chars else _NARROWEST):
        return False
    odd = sum(_CELLS.search(part) is not None or _LABELLED.match(part) is not None for part in parts)
    return odd * 2 < len(parts) and fmean(map(_n_words, parts[:-1])) >= _FEWEST_WORDS


def _n_words(line: str) -> float:
    """The number of words of a line; in scripts without blanks, two characters count as one."""
    n_unspaced = 0 if line.isascii() else len(_UNSPACED.findall(line))
    return line.count(" ") + 1 + n_unspaced / 2


def _metric(lines: Sequence[Line], wide: Sequence[int], unended: Sequence[Break]) -> tuple[int, int]:
    """The unit in which the lines were wrapped, characters (0) or columns (1), and the width of the widest line."""
    chars = [end - start for start, end in lines]
    widest = (max(chars), max(map(sum, zip(chars, wide, strict=True))))
    share = [sum(each.reaches[metric] > widest[metric] for each in unended) for metric in (0, 1)]
    metric = int(share[1] > share[0])
    return metric, widest[metric]


def _reads_on(text: str, lines: Sequence[Line]) -> bool:
    """Whether a Korean paragraph ends with a stop and has as many particles and endings as prose."""
    if not _ends(text, lines[-1], _STOPPED):
        return False
    ends = _KOREAN_WORD_END.findall(text, lines[0][0], lines[-1][0])
    return len(ends) >= 4 and sum(end in KOREAN_OPEN for end in ends) >= _OPEN_WORDS_SHARE * len(ends)


def _is_cut(lines: Sequence[Line], wide: Sequence[int]) -> bool:
    """Whether the lines were broken at any character, even inside words: all but the last are equally wide."""
    chars = [end - start for start, end in lines[:-1]]
    columns = list(map(sum, zip(chars, wide, strict=False)))
    return len(chars) >= _FEWEST_CUT and any(
        sum(width >= max(widths) - _CUT_SLACK for width in widths) >= _RAGGED_OPEN_SHARE * len(widths)
        for widths in (chars, columns)
    )


def _n_wide(part: str) -> int:
    return 0 if part.isascii() else len(part) - len(_WIDE.sub("", part))
