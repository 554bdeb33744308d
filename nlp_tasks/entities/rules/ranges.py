"""Ranges: the amount before or after one that a rule has found, and what its unit is. 3~5만 원 are 30000 and 50000.

A unit that is written once holds for both amounts, unless the first would then be far larger than the second: of "$900
to $1 million", the first is $900.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from nlp_tasks.entities.rules import numbers
from nlp_tasks.entities.rules.numbers import BLANK, DIGITS, ENGLISH_UNIT, KOREAN

#: A unit that makes the first amount this many times the second is not its own.
_TOO_MUCH = 100
#: What may stand before an amount: no part of a number, of a date, of an identifier, or of a paragraph (제3조).
_BEFORE = r"(?<![A-Za-z0-9_.,/$€£¥₩＄￥￦])(?<![-–—])"
_KOREAN_BEFORE = rf"{_BEFORE}(?<![수몇여십백천만억조경])(?<!제)(?<!제 )(?=\d)(?![0０]\d)"
_TILDE = rf"{BLANK}?[~∼～〜]{BLANK}?"
_LINK = rf"(?P<link>{_TILDE}|[-–—]|\s(?:to|and)\s|(?:에서|{BLANK}?내지){BLANK}?)"
_korean_first = re.compile(rf"{_KOREAN_BEFORE}(?P<number>{KOREAN}){_LINK}\Z")
_english_first = re.compile(rf"{_BEFORE}(?P<number>{DIGITS})(?P<unit>{ENGLISH_UNIT})?{_LINK}\Z")
_percent_first = re.compile(rf"(?<!\d/){_BEFORE}(?P<number>[-−+]?{DIGITS}){_LINK}\Z")
_second = re.compile(
    rf"{_LINK}[$€£¥₩＄￥￦]?(?:(?P<korean>{DIGITS}{BLANK}?[천백]?[만억조]+)"
    rf"|(?P<number>{DIGITS}(?!\d|[.,]\d))(?P<unit>{ENGLISH_UNIT}(?![A-Za-z]))?)(?![\w/%％]|[-–—.,]\w|{BLANK}?[~%％])"
)
_between = re.compile(r"\b[Bb]etween\s\Z")
#: After the second amount: 3에서 5%로; and 3에서 20% 늘었다, which is no range.
_arrives = re.compile(rf"{BLANK}?(?:으로|로|까지|사이|정도|가량|안팎|내외|수준)")
_changes = re.compile(
    rf"(?:[이가은는을를도씩나만]|이나|포인트)?{BLANK}{{0,2}}(?:더{BLANK}?)?"
    r"(?:줄|준|늘|는|감소|증가|하락|상승|떨어|올[라랐려렸]|오[르른]|내[려렸리린]|인하|인상|할인|깎|빠[지진졌]|빼|뛰|급[등락증감]|"
    r"성장|추가|높|낮|초과|가산|공제)"
)
_year = re.compile(r"(?:19|20)\d\d")
#: 3천, of which 만 may be left out: 3천~5천만.
_small = re.compile(rf"{DIGITS}[십백천]")
_one_part = re.compile(rf"{DIGITS}(?P<unit>{BLANK}?[십백천]?{BLANK}?[만억조경]*)")
#: The longest first amount, with what is between the two.
_FIRST_CHARS = 40
_BETWEEN_CHARS = len("between ")


@dataclass(frozen=True, slots=True)
class End:
    """The first amount of a range: `text[start:end]`."""

    start: int
    end: int
    value: Decimal


def korean_first(text: str, span: tuple[int, int], second: str, value: Decimal) -> End | None:
    """What stands before the amount `second` at `span`, a number as KOREAN matches it."""
    return _first(_korean_first, text, span, value, lambda found: korean(found["number"], second, value))


def english_first(text: str, span: tuple[int, int], unit: str | None, value: Decimal) -> End | None:
    """What stands before an amount at `span` with this unit."""

    def valued(found: re.Match[str]) -> Decimal:
        return english(found["number"], found["unit"], unit, value)

    return _first(_english_first, text, span, value, valued)


def percent_first(text: str, span: tuple[int, int], value: Decimal) -> End | None:
    """What stands before a percentage at `span`."""
    return _first(_percent_first, text, span, value, lambda found: signed(found["number"]))


def second(text: str, first: re.Match[str]) -> re.Match[str] | None:
    """What follows an amount with a symbol: `korean`, or `number` and `unit`. Without a unit, only directly after a
    hyphen or a tilde."""
    found = _second.match(text, first.end())
    if found is None or not _links(text, first.start(), found["link"]):
        return None
    is_direct = not any(char.isspace() for char in found["link"])
    return found if found["korean"] or found["unit"] or is_direct else None


def korean(first: str, second: str, second_value: Decimal) -> Decimal:
    """The value of the first of two numbers as KOREAN matches them."""
    own = numbers.korean(first)
    parts = _one_part.fullmatch(second)
    if parts is None:
        return own
    if re.fullmatch(DIGITS, first):
        return _shared(own, numbers.korean(f"1{parts['unit']}"), second_value)
    small = _small.fullmatch(first)
    if small is not None and parts["unit"].startswith(first[-1]):
        return _shared(own, numbers.korean(f"1{parts['unit'][1:]}"), second_value)
    return own


def english(first: str, own_unit: str | None, unit: str | None, second_value: Decimal) -> Decimal:
    """The value of the first of two numbers, of which the second has a unit."""
    if own_unit is not None:
        return numbers.english(first, own_unit)
    return _shared(numbers.digits(first), numbers.english("1", unit), second_value)


def signed(number: str) -> Decimal:
    """The value of digits with a sign."""
    return numbers.digits(number.replace("−", "-"))


def _shared(own: Decimal, factor: Decimal, second_value: Decimal) -> Decimal:
    return own * factor if own * factor < _TOO_MUCH * abs(second_value) else own


def _first(
    pattern: re.Pattern[str],
    text: str,
    span: tuple[int, int],
    second_value: Decimal,
    valued: Callable[[re.Match[str]], Decimal],
) -> End | None:
    found = pattern.search(text, max(0, span[0] - _FIRST_CHARS), span[0])
    if found is None or not _links(text, found.start(), found["link"]):
        return None
    if "에서" in found["link"] and not _goes_from(text, span[1], valued(found), second_value):
        return None
    if _year.fullmatch(found["number"]) and second_value < int(found["number"]) // 2:
        return None
    return End(found.start("number"), found.start("link"), valued(found))


def _goes_from(text: str, end: int, first: Decimal, second: Decimal) -> bool:
    """Whether 에서 makes a range of two amounts. Of 100에서 20% 줄었다 the second is how much the first changed."""
    if _arrives.match(text, end):
        return True
    return first < second and not _changes.match(text, end)


def _links(text: str, start: int, link: str) -> bool:
    """Whether words between two amounts make them a range: "and" only after "between"."""
    if link.strip() != "and":
        return True
    return _between.search(text, max(0, start - _BETWEEN_CHARS - 1), start) is not None
