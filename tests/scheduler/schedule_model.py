"""What schedules should do, as a simple simulation of its own: lists and dates, no cron, no SQL.

It shares no code with docmill. A schedule fires daily at one local time. Schedulers look at it at certain moments;
between two looks, nobody runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ON_TIME = timedelta(seconds=300)


@dataclass(frozen=True)
class World:
    """What is given: the schedule, and how long its runs take."""

    zone: str
    at: time
    deadline: time
    catchup: str
    within: timedelta | None
    overlap: str
    #: Of the first run that starts, the second, ...; and whether it fails.
    durations: tuple[timedelta, ...]
    fails: tuple[bool, ...]


@dataclass
class Run:
    """One time of the schedule."""

    due: datetime
    deadline: datetime
    cause: str
    state: str
    started: datetime | None = None
    number: int = -1
    is_stopped: bool = False
    ended: datetime | None = None
    is_late: bool | None = None

    @property
    def is_open(self) -> bool:
        return self.state in ("queued", "running")


@dataclass
class Model:
    """The simulation. `look` is one look of a scheduler; what people are told is in `told`."""

    world: World
    begin: datetime
    runs: list[Run] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    n_started: int = 0
    n_failures: int = 0
    last_success: datetime | None = None

    def look(self, now: datetime) -> None:
        self._end(now)
        self._start(now)
        seen = self.runs[-1].due if self.runs else self.begin
        self._fire([due for due in self._days(seen, now) if seen < due <= now], now)
        self._start(now)
        self._late(now)

    def over(self, now: datetime) -> list[Run]:
        """Runs whose work is done by now."""
        return [run for run in self.runs if run.state == "running" and self._is_over(run, now)]

    def _is_over(self, run: Run, now: datetime) -> bool:
        assert run.started is not None
        return run.is_stopped or now >= run.started + self.world.durations[run.number]

    def _days(self, seen: datetime, now: datetime) -> list[datetime]:
        day = seen.astimezone(ZoneInfo(self.world.zone)).date() - timedelta(days=1)
        last = now.astimezone(ZoneInfo(self.world.zone)).date()
        n = (last - day).days + 1
        return [moment_of(day + timedelta(days=i), self.world.at, self.world.zone) for i in range(n)]

    def _deadline(self, due: datetime) -> datetime:
        day = due.astimezone(ZoneInfo(self.world.zone)).date()
        candidates = [
            moment_of(day + timedelta(days=i), self.world.deadline, self.world.zone) for i in (0, 1)
        ]
        return next(moment for moment in candidates if moment > due)

    def _end(self, now: datetime) -> None:
        for run in self.over(now):
            run.ended = now
            if run.is_stopped:
                run.state = "cancelled"
            elif self.world.fails[run.number]:
                run.state = "failed"
                self.n_failures += 1
                self.told.append(f"failed {run.due}")
            else:
                run.state = "succeeded"
                is_after_late = any(
                    other.is_late and (self.last_success is None or other.deadline > self.last_success)
                    for other in self.runs
                )
                if self.n_failures or is_after_late:
                    self.told.append(f"recovered {run.due}")
                self.n_failures, self.last_success = 0, now

    def _fire(self, dues: list[datetime], now: datetime) -> None:
        for due in dues:
            world, is_last = self.world, due == dues[-1]
            age, is_on_time = now - due, is_last and now - due <= ON_TIME
            cause, state = ("time" if is_on_time else "catch-up"), "queued"
            too_old = world.within is not None and age > world.within
            wanted = world.catchup == "all" or (world.catchup == "latest" and is_last)
            if not is_on_time and (not wanted or too_old):
                cause, state = "time", "missed"
            elif not (world.catchup == "all" and (len(dues) > 1 or not is_on_time)):
                state = self._overlap(now)
            self.runs.append(Run(due, self._deadline(due), cause, state))

    def _overlap(self, now: datetime) -> str:
        waiting = [run for run in self.runs if run.state == "queued"]
        if not [run for run in self.runs if run.is_open]:
            return "queued"
        if self.world.overlap == "skip":
            return "skipped"
        if self.world.overlap == "queue":
            due_now = [
                run for run in waiting if not (self.world.catchup == "all" and run.cause == "catch-up")
            ]
            return "skipped" if due_now else "queued"
        for run in self.runs:
            if run.state == "running":
                run.is_stopped = True
        for run in waiting:
            run.state = "skipped"
            # The run that replaces it has a deadline of its own; one that has passed already still counts.
            if run.is_late is None and run.deadline > now:
                run.is_late = False
        return "queued"

    def _start(self, now: datetime) -> None:
        waiting = [run for run in self.runs if run.state == "queued"]
        if waiting and not any(run.state == "running" for run in self.runs):
            waiting[0].state, waiting[0].started, waiting[0].number = "running", now, self.n_started
            self.n_started += 1

    def _late(self, now: datetime) -> None:
        for run in self.runs:
            if run.is_late is None and run.deadline <= now:
                run.is_late = not any(
                    other.state == "succeeded"
                    and other.due >= run.due
                    and other.ended is not None
                    and other.ended <= run.deadline
                    for other in self.runs
                )
                if run.is_late:
                    self.told.append(f"late {run.deadline}")


def moment_of(day: date, at: time, zone: str) -> datetime:
    """When clocks in the zone show this time on this day: the first of two; the end of the gap if they never do."""
    local = datetime.combine(day, at, ZoneInfo(zone))
    while local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local.replace(tzinfo=None):
        local += timedelta(minutes=1)
    return local.astimezone(UTC)
