"""Faults around a deadline: each late run is reported, none is lost, and none is reported twice.

Nobody works on what the schedules submit, so every run is late. Messages go to a command that writes each to a file of
its own. The one repetition that is allowed has the same id: of a scheduler that was killed between delivery and mark.
"""

from __future__ import annotations

import json
import shlex
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy import select, update

from db import notifications, schedules
from db.notifications import Rule
from db.policies import Policies
from db.sql import now
from db.states import Event
from db.tables import Notification, Run
from scheduler.requests import JobRequest
from tests.faults.scheduler_faults import GIANT
from tests.faults.stack import Database, Stack
from tests.faults.trial import BOTH, N_DOCUMENTS, ON_POSTGRES, Fault
from tests.servers import short_folder, until

#: Schedules of one trial.
N_SCHEDULES = 6
#: The deadlines come this long after the runs have begun, one after the other.
FIRST_SECONDS = 1.5
EACH_SECONDS = 0.5


def told_stack(database: Database, *, n_schedulers: int) -> Stack:
    """A stack whose schedulers tell by a command."""
    folder = short_folder("dm-told-")
    told = folder / "told"
    told.mkdir()
    command = shlex.join(["sh", "-c", f'cat > "$(mktemp {told}/XXXXXXXX)"'])
    stack = Stack(database, n_schedulers=n_schedulers, folder=folder, environment={"TELL": command})
    stack.start([f"text {i}" for i in range(N_DOCUMENTS)])
    stack.add(["a text"], GIANT)
    return stack


def deadlines(
    stack: Stack, job_id: int, *, disturb: Callable[[Stack], None], may_repeat: bool = False
) -> int:
    """Runs that nobody works on, and a fault from before the first deadline until after the last."""
    _start_runs(stack)
    end = time.monotonic() + FIRST_SECONDS + N_SCHEDULES * EACH_SECONDS + 1
    n = 0
    while time.monotonic() < end:
        disturb(stack)
        n += 1
    stack.heal()
    if may_repeat:
        _let_leases_expire(stack)
    until(lambda: len(_titles(stack)) == N_SCHEDULES, "a message for each deadline", 60)
    until(lambda: not _pending(stack), "the end of the outbox", 60)
    _check(stack, may_repeat=may_repeat)
    return n


def _start_runs(stack: Stack) -> None:
    with stack.store.write() as session:
        for number in range(N_SCHEDULES):
            request = JobRequest("nothing", GIANT).as_json()
            moment = schedules.clock(session)
            schedules.add(session, f"야간-{number}", "0 2 * * *", "Asia/Seoul", [request], moment,
                          Policies(deadline="07:00"))  # fmt: skip
            rule = Rule("command:env:TELL", (Event.LATE, Event.FAILED))
            notifications.configure(session, schedules.owner(f"야간-{number}"), [rule])
    until(lambda: stack.rows("SELECT count(*) FROM run")[0][0] == N_SCHEDULES, "every run")
    with stack.store.write() as session:
        for number, run_id in enumerate(session.scalars(select(Run.id).order_by(Run.id))):
            seconds = FIRST_SECONDS + number * EACH_SECONDS
            session.execute(update(Run).where(Run.id == run_id).values(deadline_at=now(seconds)))


def _let_leases_expire(stack: Stack) -> None:
    """What waiting for two minutes does, once the schedulers that held them are dead."""
    with stack.store.write() as session:
        session.execute(update(Notification).values(lease_until=None))


def _messages(stack: Stack) -> list[dict[str, str]]:
    """What the command got; a command that was killed leaves an empty file."""
    texts = [path.read_text(encoding="utf-8") for path in (Path(stack.folder) / "told").iterdir()]
    return [json.loads(text) for text in texts if text.endswith("}")]


def _titles(stack: Stack) -> set[str]:
    return {message["title"] for message in _messages(stack)}


def _pending(stack: Stack) -> bool:
    return bool(stack.rows("SELECT id FROM notification WHERE state <> 'sent'"))


def _check(stack: Stack, *, may_repeat: bool) -> None:
    messages = _messages(stack)
    ids = Counter(message["id"] for message in messages)
    assert len(ids) == N_SCHEDULES, f"{len(ids)} messages for {N_SCHEDULES} deadlines"
    assert {message["event"] for message in messages} == {"late"}
    most = 2 if may_repeat else 1
    assert max(ids.values()) <= most, f"one message came {max(ids.values())} times"
    rows = stack.rows("SELECT count(*), count(DISTINCT key) FROM notification WHERE event = 'late'")
    assert [tuple(row) for row in rows] == [(N_SCHEDULES, N_SCHEDULES)]
    for (number,) in stack.rows("SELECT id FROM job WHERE run_id IS NOT NULL"):
        stack.run("cancel", str(number))


def kill_schedulers(stack: Stack) -> None:
    for scheduler in stack.schedulers:
        scheduler.kill()
        scheduler.wait()
    stack.schedulers.clear()
    stack.start_scheduler()
    # As long as a scheduler takes to start, and some of its work.
    time.sleep(2.0)


def restart_database(stack: Stack) -> None:
    assert stack.postgres is not None
    stack.postgres.stop()
    stack.postgres.start()
    time.sleep(0.5)


def nothing(stack: Stack) -> None:
    """Two schedulers see each deadline at the same moment."""
    time.sleep(0.5)


def clock_jumps(stack: Stack) -> None:
    """The database's clock goes two hours ahead, which is for docmill the same as moving what is stored back."""
    with stack.store.write() as session:
        for run_id, deadline_at in session.execute(
            select(Run.id, Run.deadline_at).where(Run.deadline_at.is_not(None))
        ).all():
            moved = update(Run).where(Run.id == run_id)
            session.execute(moved.values(deadline_at=deadline_at.replace(year=deadline_at.year - 1)))
    time.sleep(1.0)


def _fault(
    name: str,
    disturb: Callable[[Stack], None],
    *,
    n_schedulers: int = 2,
    databases: tuple[Database, ...] = BOTH,
    quick: tuple[Database, ...] = (),
    may_repeat: bool = False,
) -> Fault:
    return Fault(
        name,
        partial(deadlines, disturb=disturb, may_repeat=may_repeat),
        databases=databases,
        quick=quick,
        harmless=True,
        own_stack=partial(told_stack, n_schedulers=n_schedulers),
    )


FAULTS = (
    _fault("deadlines while schedulers are killed", kill_schedulers, n_schedulers=1, quick=("sqlite",),
           may_repeat=True),
    _fault("deadlines seen by two schedulers", nothing),
    _fault("deadlines while the database restarts", restart_database, databases=ON_POSTGRES),
    _fault("deadlines while the clock jumps", clock_jumps),
)  # fmt: skip
