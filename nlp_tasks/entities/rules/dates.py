"""Dates, as ISO 8601: 2026-11-26, 2026-11, 2026, --11-26 without a year, 2026-Q3 for a quarter."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlp_tasks.entities.rules import date_ranges
from nlp_tasks.entities.rules.date_parts import DAY, GAP, MONTH, MONTHS, YEAR, iso
from nlp_tasks.entities.rules.match import Match

_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
#: Not part of a longer number, version or code.
_FREE, _END = r"(?<![A-Za-z0-9_./-])", r"(?![A-Za-z0-9_/-]|\.\d)"
_korean = re.compile(
    rf"(?<![\d,.])(?P<year>(?:1\d|20)\d\d)년(?:\s{{0,4}}(?P<month>[01]?\d)월(?:\s{{0,4}}{DAY}일(?![가-힣]?간|차))?"
    r"|(?! ?(?:대|간|차|만에|동안|째|여|전|넘|이상|가까이)))"
)
_korean_day = re.compile(rf"(?<![\d년])(?<!년 )(?P<month>[01]?\d)월 ?{DAY}일(?!간|차)")
#: A month alone. Not 5월호, nor 2월 30일, which is no day.
_korean_month = re.compile(
    r"(?<![\d년.,])(?<!년 )(?P<month>1[0-2]|0?[1-9])월(?! ?\d{1,2} ?일)(?!요일|[간호드령세급])"
)
_korean_quarter = re.compile(rf"(?<!\d){YEAR}년 ?(?:제 ?)?(?P<quarter>[1-4])(?: ?/ ?4)? ?분기")
_korean_half = re.compile(rf"(?<!\d){YEAR}년 ?(?P<half>상|하)반기")
_numeric = re.compile(
    rf"{_FREE}(?P<year>(?:19|20)\d\d)(?P<by>[-./]) ?(?P<month>[01]?\d)(?P=by) ?{DAY}"
    rf"(?:(?:(?<=[. ]\d)|(?<=[. ]\d\d))\.(?!\d)|(?=T\d)|{_END})"
)
_month_first = re.compile(rf"\b{MONTH}{GAP}{DAY}(?:st|nd|rd|th)?\b(?:,?{GAP}{YEAR}\b)?(?![\d.,]*\d)")
_day_first = re.compile(
    rf"(?<![\w.,]){DAY}(?:(?:st|nd|rd|th)(?:{GAP}day)?)?(?:{GAP}of)?{GAP}{MONTH}(?:,?{GAP}{YEAR}\b)?"
)
_month_of_year = re.compile(rf"\b{MONTH},?{GAP}(?:of )?{YEAR}\b")
#: A year alone, after a word that says that it is one: in 2002, late 2004, the end of 2001, between 1997 and 2002.
_year_alone = re.compile(
    r"\b(?:[Ii]n|[Ss]ince|[Dd]uring|[Uu]ntil|[Ee]arly|[Ll]ate|[Mm]id|(?:[Ss]pring|[Ss]ummer|[Aa]utumn|[Ff]all|[Ww]inter|"
    r"[Ee]nd|[Bb]eginning|[Ss]tart|[Mm]iddle) of|(?:[Bb]etween|[Ff]rom)(?:\s(?:19|20)\d\d\s(?:and|to))?)\s"
    r"(?P<year>(?:19|20)\d\d)\b(?![-/:%][\w]|[.,]\d|\s(?:people|men|women|units|tonnes|tons|jobs|homes|shares)\b)"
)
_first_years = re.compile(
    r"\b(?:[Bb]etween|[Ff]rom)\s(?P<year>(?:19|20)\d\d)(?=\s(?:and|to)\s(?:19|20)\d\d\b)"
)
_american = re.compile(rf"{_FREE}(?P<first>[0-3]?\d)/(?P<second>[0-3]?\d)/(?P<year>(?:19|20)\d\d){_END}")
_quarter = re.compile(
    rf"\bQ(?P<number>[1-4])(?: of)?[ -]?{YEAR}\b|\b{YEAR.replace('year', 'before')}[ -]?Q(?P<after>[1-4])\b"
    rf"|\b(?P<word>first|second|third|fourth|1st|2nd|3rd|4th) quarter (?:of |in )?{YEAR.replace('year', 'of')}\b",
    re.IGNORECASE | re.ASCII,
)


def dates(text: str) -> Iterator[Match]:
    """Dates that exist. One that may be read in two ways (3/4/2026) has no normal form."""
    # First, because they know more: of 2017년 9월~11월, the year of the second.
    yield from date_ranges.ends(text)
    for found in _korean_quarter.finditer(text):
        yield Match(*found.span(), "DATE", f"{found['year']}-Q{found['quarter']}")
    for found in _korean_half.finditer(text):
        yield Match(*found.span(), "DATE", f"{found['year']}-H{'1' if found['half'] == '상' else '2'}")
    for found in _quarter.finditer(text):
        year = found["year"] or found["before"] or found["of"]
        quarter = found["number"] or found["after"] or _ORDINALS[found["word"].lower()]
        yield Match(*found.span(), "DATE", f"{year}-Q{quarter}")
    for pattern in (_korean, _numeric, _korean_day, _korean_month):
        yield from _checked(pattern, text)
    for pattern in (_month_first, _day_first, _month_of_year):
        yield from _checked(pattern, text, in_words=True)
    yield from _slashes(text)
    for found in _year_alone.finditer(text):
        yield Match(*found.span("year"), "DATE", found["year"])
    for found in _first_years.finditer(text):
        yield Match(*found.span("year"), "DATE", found["year"])


def _checked(pattern: re.Pattern[str], text: str, *, in_words: bool = False) -> Iterator[Match]:
    for found in pattern.finditer(text):
        parts = found.groupdict()
        given = parts.get("month")
        month = None if given is None else MONTHS[given.lower()] if in_words else int(given)
        day = None if parts.get("day") is None else int(parts["day"])
        year = None if parts.get("year") is None else int(parts["year"])
        if given == "MAY" and year is None:
            continue  # a verb in capitals: SECTION 1 MAY
        if (normal := iso(year, month, day)) is not None:
            yield Match(*found.span(), "DATE", normal)


def _slashes(text: str) -> Iterator[Match]:
    """11/26/2026 and 26/11/2026: the number above 12 is the day."""
    for found in _american.finditer(text):
        first, second, year = int(found["first"]), int(found["second"]), int(found["year"])
        readings = {iso(year, first, second), iso(year, second, first)} - {None}
        if readings:
            yield Match(*found.span(), "DATE", readings.pop() if len(readings) == 1 else None)
