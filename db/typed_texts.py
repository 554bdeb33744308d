"""Texts as numbers and times: in Python, and as SQL that gives the same on PostgreSQL. No text raises an error.

SQLite calls the functions here, which `register` gives to a connection.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

#: One notation for Python and for PostgreSQL: [0-9], since \d has more digits than these.
_NUMBER = r"^[ \t]*[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,2})?[ \t]*$"
#: Year, month and day with one of - / . between them, or with nothing.
_DATE = r"^([1-9][0-9]{3})([-/.]?)([0-9]{2})\2([0-9]{2})"
_LEAP = r"([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)"
_DAY = (
    r"([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    rf"|02-(0[1-9]|1[0-9]|2[0-8]))|{_LEAP}-02-29)"
)
_TIME = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
_ZONE = r" ?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
_MOMENT = rf"^{_DAY}({_TIME}({_ZONE})?)?$"
#: What may be a time in another notation.
_OTHER = r"^[ \t]|[ \t]$|^[1-9][0-9]{3}([./]|[0-9]{4})"
#: Digits that a microsecond does not have.
_TOO_FINE = r"(\.[0-9]{6})[0-9]+"

_IS_NUMBER, _IS_DATE, _IS_MOMENT = (re.compile(each) for each in (_NUMBER, _DATE, _MOMENT))
_PARTS = re.compile(
    r"(....)-(..)-(..)(?:[T ](..):(..)(?::(..)(?:\.([0-9]+))?)?(?: ?(?:Z|([+-])(..)(?::?(..))?))?)?"
)


def number(text: Any) -> int | float | None:
    """The number that a text is in whole; None if it is none."""
    if not isinstance(text, str) or not _IS_NUMBER.fullmatch(text):
        return None
    if re.search("[.eE]", text):
        return float(text)
    whole = int(text)
    return whole if -(2**63) <= whole < 2**63 else float(whole)


def moment(text: Any) -> datetime | None:
    """The time that a text names in ISO 8601: a date, or a date and a time; without a zone, in UTC."""
    if not isinstance(text, str) or len(text) < 8:
        return None
    if len(text) in (19, 25) and text[4] == text[7] == "-" and text[13] == text[16] == ":" and text[0] > "0":
        found_fast = _common(text)
        if found_fast is not None:
            return found_fast
    normal = _IS_DATE.sub(r"\1-\3-\4", text.strip(" \t"))
    found = _PARTS.fullmatch(normal) if _IS_MOMENT.fullmatch(normal) else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    microsecond = int((found[7] or "")[:6].ljust(6, "0"))
    offset = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0))
    zone = timezone(-offset if found[8] == "-" else offset)
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, zone).astimezone(UTC)
    except OverflowError:
        return None  # the last hours of the year 9999


def _common(text: str) -> datetime | None:
    """2026-01-05T09:30:00, or that with +09:00: much faster than the notation in whole."""
    if text[10] not in "T " or (len(text) == 25 and (text[22] != ":" or text[20:22] > "14")):
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def number_sql(text: str) -> str:
    """For PostgreSQL, `text` being an expression."""
    return f"CASE WHEN {text} ~ '{_NUMBER}' THEN btrim({text}, E' \\t')::numeric END"


def moment_sql(text: str) -> str:
    """The same. Only what is a time is cast; a time that is written with - is found without the slower rewriting."""
    normal = rf"regexp_replace(btrim({text}, E' \t'), '{_DATE}', '\1-\3-\4')"
    return (
        f"CASE WHEN {text} ~ '{_MOMENT}' THEN {_cast(text)} "
        f"WHEN {text} ~ '{_OTHER}' THEN CASE WHEN {normal} ~ '{_MOMENT}' THEN {_cast(normal)} END END"
    )


def _cast(moment: str) -> str:
    """A text that is a time, as one: its zone is after the minutes, if it has one."""
    fine = rf"CASE WHEN length({moment}) > 26 THEN regexp_replace({moment}, '{_TOO_FINE}', '\1') ELSE {moment} END"
    zone = f"CASE WHEN substr({moment}, 17) ~ '[-+Z]' THEN '' ELSE ' UTC' END"
    return f"(({fine}) || {zone})::timestamptz"


def register(connection: Any) -> None:
    """Give a SQLite connection the functions."""
    connection.create_function("docmill_number", 1, number, deterministic=True)
    connection.create_function("docmill_moment", 1, _stored, deterministic=True)


def _stored(text: Any) -> str | None:
    """As SQLite keeps times."""
    if isinstance(text, str) and len(text) == 10 and text[4] == text[7] == "-" and text[0] > "0":
        # Most are such, and this is much faster.
        try:
            return f"{date.fromisoformat(text)} 00:00:00.000000"
        except ValueError:
            return None
    found = moment(text)
    # strftime writes the year 443 with three digits.
    return None if found is None else found.replace(tzinfo=None).isoformat(" ", "microseconds")
