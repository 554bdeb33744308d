"""Times of day, as HH:MM or HH:MM:SS of 24 hours."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlp_tasks.entities.rules import time_ranges
from nlp_tasks.entities.rules.match import Match

_korean = re.compile(
    rf"(?<!\d)(?:(?P<part>{time_ranges.PART})\s{{0,2}})?(?P<hour>[0-2]?\d)시"
    r"(?: ?(?P<minute>[0-5]?\d)분| ?(?P<half>반)(?![가-힣](?<!에)(?<!부)(?<!까)(?<!쯤)(?<!경)(?<!의)))?"
    + time_ranges.AFTER
)
_digital = re.compile(
    r"(?<![A-Za-z0-9_.:/-])(?P<hour>[0-2]?\d):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?:\.\d{1,6})?"
    r"(?:\s{0,2}(?P<half>[aApP])\.?[mM]\b\.?)?(?![\d:]|\.\d)"
)
#: The time of a timestamp: 2026-11-26T08:30:00Z.
_stamp = re.compile(r"(?<=\dT)(?P<hour>[0-2]\d):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?P<half>)")
_english = re.compile(r"(?<![A-Za-z0-9_.:$])(?P<hour>1[0-2]|0?[1-9])[ \u00a0]?(?P<half>[aApP])\.?[mM]\b\.?")
_NIGHT_FROM = 5


def times(text: str) -> Iterator[Match]:
    """Times of day. Without a normal form where the half of the day is not said ("3시")."""
    # First, because they know more: of 오후 3~5시, the half of the day of the second.
    yield from time_ranges.ends(text, _hour)
    for found in _korean.finditer(text):
        hour, minute = int(found["hour"]), 30 if found["half"] else int(found["minute"] or 0)
        if hour > 24 or (hour == 24 and minute):
            continue
        # 05시 is of 24 hours.
        of_day = hour if found["hour"][0] == "0" and not found["part"] else _hour(hour, found["part"])
        yield Match(*found.span(), "TIME", None if of_day is None else f"{of_day:02}:{minute:02}")
    for pattern in (_digital, _stamp, _english):
        for found in pattern.finditer(text):
            if (normal := _normal(found)) is not None:
                yield Match(*found.span(), "TIME", normal)


def _normal(found: re.Match[str]) -> str | None:
    hour, parts = int(found["hour"]), found.groupdict()
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    if hour > 23:
        return None
    second = f":{parts['second']}" if parts.get("second") else ""
    return f"{hour:02}:{int(parts.get('minute') or 0):02}{second}"


def _hour(hour: int, part: str | None) -> int | None:
    """The hour of 24; None if the text does not say which half of the day is meant."""
    if hour > 12 or hour == 0:
        return hour % 24
    if part is None:
        return None
    if part in ("오전", "새벽", "아침"):
        return hour % 12
    if part == "밤":
        return hour % 12 if hour == 12 or hour < _NIGHT_FROM else hour + 12
    if part == "낮":
        return hour if hour >= 10 else hour + 12
    return hour % 12 + 12
