"""Cron expressions: the times at which a schedule is due, in its time zone.

When the clocks change, times follow Debian's cron: a fixed time that is skipped in spring is due right after the gap,
and one that is repeated in autumn is due once. Expressions whose minute or hour starts with * follow the clock: they
are not due in an hour that is skipped, and are due in both of one that is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

#: The names that cron has for common times.
WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FIELDS = 5


def check(cron: str, time_zone: str) -> None:
    """Raise ValueError, with an example, for a cron expression or time zone that means nothing."""
    fields = cron.split()
    if len(fields) == FIELDS + 1:
        raise ValueError(
            f"cron {cron!r} has six fields; docmill does not schedule by seconds. Write minute, hour, day of "
            f"month, month, day of week: {' '.join(fields[1:])!r}, or '0 2 * * *' for every night at two"
        )
    if cron.strip().startswith("@") and cron.strip().lower() not in WORDS:
        raise ValueError(f"cron {cron!r} is unknown; there are {', '.join(WORDS)}, or '0 2 * * *'")
    next_after(cron, time_zone, datetime.now(UTC))


def next_after(cron: str, time_zone: str, moment: datetime) -> datetime:
    """The first due time after `moment`, in UTC."""
    found = next(_times(cron, time_zone, moment), None)
    if found is None:
        raise ValueError(f"cron {cron!r} never comes")
    return found


def due_times(cron: str, time_zone: str, first: datetime, until: datetime, limit: int) -> list[datetime]:
    """The due times from `first`, which is one itself, to `until`; the last `limit` of them."""
    span = timedelta(days=1)
    while True:
        # From near the end, since a year of every minute would take seconds.
        start = max(first, until - span)
        found = list(takewhile(lambda moment: moment <= until, _times(cron, time_zone, start)))
        if start == first:
            return [first, *found][-limit:]
        if len(found) >= limit:
            return found[-limit:]
        span *= 8


def check_local_time(words: str) -> str:
    """A time of day as "07:00", or ValueError."""
    try:
        found = datetime.strptime(words.strip(), "%H:%M")
    except ValueError:
        raise ValueError(f"{words!r} is no time of day: write it as 07:00") from None
    return f"{found:%H:%M}"


def local_time_after(local_time: str, time_zone: str, moment: datetime) -> datetime:
    """The first time after `moment` at which clocks in this zone show this time of day, in UTC."""
    hour, minute = check_local_time(local_time).split(":")
    return next_after(f"{int(minute)} {int(hour)} * * *", time_zone, moment)


def check_time_zone(name: str) -> None:
    """ValueError if there is no such time zone."""
    _zone(name)


def _times(cron: str, time_zone: str, moment: datetime) -> Iterator[datetime]:
    """The due times after `moment`, each later than the one before."""
    try:
        times = CronSim(_fields(cron), moment.astimezone(_zone(time_zone)))
    except CronSimError as error:
        raise ValueError(f"cron {cron!r}: {error}; '0 2 * * *' is every night at two") from None
    # In the hour that autumn repeats, CronSim goes back to the first of the two; and two times that spring skips may
    # both become the end of the gap.
    for found in times:
        if (in_utc := found.astimezone(UTC)) > moment:
            moment = in_utc
            yield in_utc


def _fields(cron: str) -> str:
    """The five fields. Schedules with six, the first for seconds, were stored once: they fire once a minute at
    most."""
    cron = cron.strip()
    fields = WORDS.get(cron.lower(), cron).split()
    return " ".join(fields[-FIELDS:] if len(fields) == FIELDS + 1 else fields)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}: write one like Asia/Seoul or UTC") from None
