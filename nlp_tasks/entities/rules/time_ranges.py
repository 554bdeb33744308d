"""Ranges of hours: both ends, each with its value. Of 오후 3~5시 these are 15:00 and 17:00.

The half of the day is written once for both, and the second end is the next such hour after the first: 오전 10시~2시
ends at 14:00, and 7-5 p.m. begins at 07:00.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from nlp_tasks.entities.rules import links
from nlp_tasks.entities.rules.match import Match

#: The hour of 24 for an hour and the word before it; None if that does not say which half of the day is meant.
Hour = Callable[[int, str | None], int | None]

PART = "오전|오후|새벽|아침|낮|저녁|밤"
#: What may follow 시: not 시간, 시즌.
AFTER = r"(?:(?![가-힣])|(?=(?:에|부터|까지|쯤|경|께|정각|이후|이전|의|를|가|는|은|도|로|와|이|엔|께|사이)))"
_TO = r"[ \u00a0]?[-–—~∼～〜][ \u00a0]?"
_korean = re.compile(
    rf"(?<![\d:./,-])(?P<first>(?:(?P<part>{PART})\s{{0,2}})?(?P<h1>[0-2]?\d)(?:시(?: ?(?P<m1>[0-5]?\d)분)?)?)"
    rf"(?:{_TO}|(?<=[시분])(?:부터|에서) ?)(?P<second>(?P<h2>[0-2]?\d)시(?: ?(?P<m2>[0-5]?\d)분)?){AFTER}"
)
_english = re.compile(
    rf"(?<![\w.:/$,-])(?P<between>(?<=[Bb]etween\s))?(?P<first>(?P<h1>1[0-2]|0?[1-9])(?::(?P<m1>[0-5]\d))?)(?(between)\sand\s|(?:{_TO}|\s(?:to|until)\s))"
    r"(?P<second>(?P<h2>1[0-2]|0?[1-9])(?::(?P<m2>[0-5]\d))?\s{0,2}(?P<half>[aApP])\.?[mM]\b\.?)"
)


def ends(text: str, hour: Hour) -> Iterator[Match]:
    """The two ends of each range of hours. Without a normal form where the half of the day is not said (3~5시)."""
    for part in links.around_links(text):
        for found in _korean.finditer(text, *part):
            first, second = (int(found["h1"]), _minute(found["m1"])), (int(found["h2"]), _minute(found["m2"]))
            if max(first, second) <= (24, 0) and first != second:
                yield from _both(found, *_in_korean(first, second, found["part"], hour))
        for found in _english.finditer(text, *part):
            yield from _both(found, *_in_english(found))


def _in_english(found: re.Match[str]) -> tuple[int, int]:
    half = 12 if found["half"] in "pP" else 0
    first, second = int(found["h1"]) % 12 + half, int(found["h2"]) % 12 + half
    if (first, _minute(found["m1"])) >= (second, _minute(found["m2"])):
        first = (first + 12) % 24
    return first, second


def _in_korean(
    first: tuple[int, int], second: tuple[int, int], part: str | None, hour: Hour
) -> tuple[int | None, int | None]:
    """The hours of 24 of two times, hour and minute, of which the first has a word before it."""
    if part is None:
        # 9~18시 is of 24 hours.
        return (first[0], second[0] % 24) if second[0] > 12 else (hour(first[0], None), None)
    start = hour(first[0], part)
    if start is None or second[0] > 12:
        return start, second[0] % 24
    later = (each for each in (second[0] % 12, second[0] % 12 + 12) if (each, second[1]) > (start, first[1]))
    return start, next(later, second[0] % 12)


def _both(found: re.Match[str], first: int | None, second: int | None) -> Iterator[Match]:
    yield Match(*found.span("first"), "TIME", _written(first, found["m1"]))
    yield Match(*found.span("second"), "TIME", _written(second, found["m2"]))


def _written(hour: int | None, minute: str | None) -> str | None:
    return None if hour is None else f"{hour:02}:{_minute(minute):02}"


def _minute(written: str | None) -> int:
    return int(written or 0)
