"""Ranges of dates: both ends, each with its value. Of 2019년 5월 1~3일 these are 2019-05-01 and 2019-05-03.

What is written once holds for both ends: the year, the month, and the unit. A range that goes beyond the end of a year
(11월~2월) ends in the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlp_tasks import heartbeat
from nlp_tasks.entities.rules import links
from nlp_tasks.entities.rules.date_parts import GAP, MONTH, MONTHS, YEAR, iso
from nlp_tasks.entities.rules.match import Match

_TO = r"[ \u00a0]?[-–—~∼～〜][ \u00a0]?"
_TO_OR_WORD = rf"(?:{_TO}|\s(?:to|through)\s)"
_FROM = rf"(?:{_TO}|부터 ?|에서 ?)"
#: Not part of a number, a date in digits, a code, or another range.
_FREE = r"(?<![\w.,/$-])(?<![–—~∼～〜])"
_MONTH_NUMBER = r"(?:1[0-2]|0?[1-9])"
_WEEKDAY = r"(?:\([월화수목금토일]\))?"
_ORDINAL = r"(?:st|nd|rd|th)?"
#: After the second end of days in English: no more digits, and no unit.
_NO_AMOUNT = r"(?![\d.,:]*\d)(?!\s?(?:%|percent|per cent|pct|million|billion|thousand|points?|people)\b|%)"


def _month(name: str) -> str:
    return MONTH.replace("(?P<month>", f"(?P<{name}>")


def _year(name: str) -> str:
    return YEAR.replace("(?P<year>", f"(?P<{name}>")


_PATTERNS = (
    # 2019년 5월 1~3일, 9월 26일-28일, 5월 1일(월)부터 3일까지
    re.compile(
        rf"(?<![\d/.])(?P<first>(?:{_year('y1')}년 ?)?(?P<m1>{_MONTH_NUMBER})월 ?(?P<d1>[0-3]?\d)일?){_WEEKDAY}"
        rf"(?:{_TO}|(?<=[일)])부터 ?(?=\d{{1,2}}일{_WEEKDAY} ?까지))(?P<second>(?P<d2>[0-3]?\d)일)(?!간|차| ?동안)"
    ),
    # 2019년 5월 1일~6월 3일
    re.compile(
        rf"(?<!\d)(?P<first>{_year('y1')}년 ?(?P<m1>{_MONTH_NUMBER})월 ?(?P<d1>[0-3]?\d)일){_WEEKDAY}{_FROM}"
        rf"(?P<second>(?P<m2>{_MONTH_NUMBER})월 ?(?P<d2>[0-3]?\d)일)(?!간|차)"
    ),
    # 1~3월, 2017년 9월~11월, 1월부터 6월까지
    re.compile(
        rf"(?:{_FREE}|(?<=[가-힣]))(?<!제)(?P<first>(?:{_year('y1')}년 ?)?(?P<m1>{_MONTH_NUMBER})월?)"
        rf"(?:{_TO}|(?<=월){_FROM})(?P<second>(?P<m2>{_MONTH_NUMBER})월)(?! ?\d{{1,2}} ?일)(?!요일|[간호드령세급])"
    ),
    # 2011~2015년, 2021-22년
    re.compile(
        rf"(?:{_FREE}|(?<=[가-힣]))(?P<first>{_year('y1')}년?){_TO}(?P<second>(?P<y2>(?:1[5-9]|20)\d\d|\d\d)년)"
        r"(?! ?(?:대|간|차|만에|동안|째|여|전|넘|이상|가까이|된|정도))"
    ),
    # 2026.11.26~28, 2026-11-26~11-28
    re.compile(
        rf"{_FREE}(?P<first>(?P<y1>(?:19|20)\d\d)(?P<by>[-./]) ?(?P<m1>{_MONTH_NUMBER})(?P=by) ?(?P<d1>[0-3]?\d))\.?"
        rf"[ \u00a0]?[~∼～〜][ \u00a0]?(?P<second>(?:(?P<m2>{_MONTH_NUMBER})(?P=by) ?)?(?P<d2>[0-3]?\d))"
        r"(?![\w/-]|[.:]\d)"
    ),
    # March 3-5, 2020
    re.compile(
        rf"(?P<first>\b{_month('m1')}{GAP}(?P<d1>[0-3]?\d){_ORDINAL})(?:{_TO}|\s(?:to|through)\s(?=\S+(?:[,.;)]|\s(?:19|20)\d\d|$)))"
        rf"(?P<second>(?P<d2>[0-3]?\d){_ORDINAL}\b(?:,?{GAP}{_year('y2')}\b)?){_NO_AMOUNT}"
    ),
    # 3-5 March 2020
    re.compile(
        rf"{_FREE}(?P<first>(?P<d1>[0-3]?\d){_ORDINAL}){_TO_OR_WORD}"
        rf"(?P<second>(?P<d2>[0-3]?\d){_ORDINAL}(?:{GAP}of)?{GAP}{_month('m2')}(?:,?{GAP}{_year('y2')}\b)?)"
    ),
    # March 30 - April 2, 2020; 30 March - 2 April 2020; March to April 2020
    re.compile(
        rf"(?P<first>\b{_month('m1')}{GAP}(?P<d1>[0-3]?\d){_ORDINAL}){_TO_OR_WORD}"
        rf"(?P<second>{_month('m2')}{GAP}(?P<d2>[0-3]?\d){_ORDINAL},?{GAP}{_year('y2')})\b"
    ),
    re.compile(
        rf"{_FREE}(?P<first>(?P<d1>[0-3]?\d){_ORDINAL}{GAP}{_month('m1')}){_TO_OR_WORD}"
        rf"(?P<second>(?P<d2>[0-3]?\d){_ORDINAL}{GAP}{_month('m2')},?{GAP}{_year('y2')})\b"
    ),
    re.compile(
        rf"(?P<first>\b{_month('m1')}){_TO_OR_WORD}(?P<second>{_month('m2')},?{GAP}(?:of )?{_year('y2')})\b"
    ),
    # in 1990-95
    re.compile(
        rf"\b(?:[Ii]n|[Dd]uring|[Ff]rom|[Yy]ears?)\s(?P<first>{_year('y1')})[-–—]"
        r"(?P<second>(?P<y2>(?:1[5-9]|20)\d\d|\d\d))\b(?![-–—/:%]\w|[.,]\d)"
    ),
)
_quarters = re.compile(
    rf"(?<!\d)(?P<first>{YEAR}년 ?(?P<q1>[1-4])(?: ?분기)?){_TO}(?P<second>(?P<q2>[1-4]) ?분기)"
)
#: The furthest that a second year of two digits goes beyond the end of a century: 1998~02년.
_FURTHEST = 30


def ends(text: str) -> Iterator[Match]:
    """The two ends of each range of days, months, quarters or years."""
    for part in links.around_links(text):
        for pattern in _PATTERNS:
            heartbeat.beat()
            for found in pattern.finditer(text, *part):
                if values := _values(found.groupdict()):
                    yield from _both(found, *values)
        for found in _quarters.finditer(text, *part):
            if found["q1"] < found["q2"]:
                yield from _both(found, f"{found['year']}-Q{found['q1']}", f"{found['year']}-Q{found['q2']}")


def _both(found: re.Match[str], first: str, second: str) -> Iterator[Match]:
    yield Match(*found.span("first"), "DATE", first)
    yield Match(*found.span("second"), "DATE", second)


def _values(given: dict[str, str | None]) -> tuple[str, str] | None:
    """The values of both ends; None if one does not exist, or the second is not after the first."""
    first_month, second_month = _number(given.get("m1")), _number(given.get("m2"))
    first_day, second_day = _number(given.get("d1")), _number(given.get("d2"))
    month_is_shared = (first_month is None) != (second_month is None)
    first_month, second_month = first_month or second_month, second_month or first_month
    first, second = (first_month or 0, first_day or 0), (second_month or 0, second_day or 0)
    if second < first and month_is_shared:
        return None
    first_year, second_year = _years(given, goes_on=second < first)
    if first_year is None and (first == second or "MAY" in given.values()):
        return None  # MAY is a verb in capitals: SECTIONS 1-3 MAY
    if first_year is not None and second_year is not None and (first_year, *first) >= (second_year, *second):
        return None
    start, end = iso(first_year, first_month, first_day), iso(second_year, second_month, second_day)
    return (start, end) if start and end else None


def _years(given: dict[str, str | None], *, goes_on: bool) -> tuple[int | None, int | None]:
    """The years of both ends, of which one may be written only once or in two digits. `goes_on`: the range goes beyond
    the end of a year."""
    first, second = _number(given.get("y1")), _number(given.get("y2"))
    if first is None:
        return (None if second is None else second - goes_on), second
    if second is None:
        return first, first + goes_on
    if second < 100:
        second += first // 100 * 100
        if second <= first and second + 100 - first <= _FURTHEST:
            second += 100
    return first, second


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    return int(text) if text.isdigit() else MONTHS[text.lower()]
