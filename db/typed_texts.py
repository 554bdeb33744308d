"""Texts as numbers and times: in Python, and as SQL that gives the same on PostgreSQL. No text raises an error.

SQLite calls the functions here, which `register` gives to a connection.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
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
_HAS_ZONE = rf":[0-9.]+{_ZONE}$"
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
    if not isinstance(text, str):
        return None
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


def number_sql(text: str) -> str:
    """For PostgreSQL, `text` being an expression."""
    return f"CASE WHEN {text} ~ '{_NUMBER}' THEN btrim({text}, E' \\t')::numeric END"


def moment_sql(text: str) -> str:
    """The same. Only what is a time is cast."""
    normal = rf"regexp_replace(btrim({text}, E' \t'), '{_DATE}', '\1-\3-\4')"
    fine = rf"regexp_replace({normal}, '{_TOO_FINE}', '\1')"
    return (
        f"CASE WHEN {normal} ~ '{_MOMENT}' "
        f"THEN ({fine} || CASE WHEN {normal} ~ '{_HAS_ZONE}' THEN '' ELSE ' UTC' END)::timestamptz END"
    )


def register(connection: Any) -> None:
    """Give a SQLite connection the functions."""
    connection.create_function("docmill_number", 1, number, deterministic=True)
    connection.create_function("docmill_moment", 1, _stored, deterministic=True)


def _stored(text: Any) -> str | None:
    """As SQLite keeps times."""
    found = moment(text)
    return None if found is None else found.strftime("%Y-%m-%d %H:%M:%S.%f")
