"""What nights write: exports and the digest, also when a step fails, and the same after a crash."""

from __future__ import annotations

import json
import shlex
import sqlite3
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text, update

from db import runs
from db.nights import running
from db.sql import clock, now
from db.states import RunState
from db.store import Store
from db.tables import Run, Schedule
from scheduler import firing
from scheduler.nights import applying, scheduled
from scheduler.nights.advancing import NightMover
from scheduler.notifying import delivering
from tests.scheduler.nights import NightRun, night_run

EXPORT = """
[[step]]
do = "export"
what = "SELECT key, version FROM document WHERE is_latest ORDER BY key"
"""


@pytest.fixture
def night(store: Store, tmp_path: Path) -> Iterator[NightRun]:
    with night_run(store, tmp_path) as found:
        yield found


class _DiedError(BaseException):
    """The scheduler dies here."""


def test_changed_rows_are_written_again_by_the_scheduler_after_the_one_that_died(night: NightRun) -> None:
    file = f'{night.file().text}{EXPORT}key = ["key"]\nonly_changed = true\nto = "out/{{date}}.jsonl"\n'
    night.write({"k0": "text 0", "k1": "text 1"})
    night_id = applying.run_latest(night.store, night.file(file))[0]

    def die(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE night_step") and list((night.folder / "out").glob("*.jsonl")):
            raise _DiedError

    event.listen(night.store.engine, "before_cursor_execute", die)
    with pytest.raises(_DiedError):
        night.finish(night_id)
    event.remove(night.store.engine, "before_cursor_execute", die)
    [path] = (night.folder / "out").glob("*.jsonl")
    before = path.read_bytes()
    assert len(before.splitlines()) == 2

    with night.store.write() as session:
        session.execute(text("UPDATE night SET held_until = created_at"))
    night.nights = NightMover(night.store, "another scheduler", threading.Event())
    night.finish(night_id)
    assert night.steps(night_id)["export"] == ("done", None, f"{path}: 2 rows")
    assert path.read_bytes() == before

    night.write({"k0": "text 0", "k1": "other"})
    night.run(file)
    assert [json.loads(line)["change"] for line in path.read_text().splitlines()] == ["changed"]


def test_the_report_and_the_export_of_a_night_whose_step_failed(
    night: NightRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = night.folder / "reports.db"
    monkeypatch.setenv("REPORTS_URL", f"sqlite:///{table}")
    night.write({"k0": "text 0"})
    file = (
        f'{night.file().text}[[step]]\ndo = "classify"\nmodel = "nobody"\n{EXPORT}'
        'to_table = "env:REPORTS_URL/documents"\n'
        '[report]\nto = ["{date}.html", "newest.html"]\nlanguage = "ko"\n'
    )
    plan = night.plan(file)
    assert plan.step("report").note == "writes {date}.html, newest.html"
    night_id = night.run(file, plan.id)
    assert night.state(night_id) == "failed"
    assert [night.steps(night_id)[name][0] for name in ("classify", "export", "report")] == [
        "failed", "done", "done",
    ]  # fmt: skip
    with sqlite3.connect(table) as connection:
        assert connection.execute("SELECT * FROM documents").fetchall() == [("k0", 1)]
    connection.close()
    pages = sorted(path.name for path in night.folder.glob("*.html"))
    assert len(pages) == 2
    assert (night.folder / pages[0]).read_text() != ""
    assert "there is no model" in (night.folder / "newest.html").read_text()


NOTIFY = """
[schedule]
cron = "0 1 * * *"
[[notify]]
on = ["late", "failed", "recovered", "model refused"]
command = "env:TELL"
"""


def test_people_are_told_of_a_night(night: NightRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real command gets each event; v_night says what became of each run."""
    told = night.folder / "told"
    code = f"import sys; open({str(told)!r}, 'a').write(sys.stdin.read() + chr(10))"
    monkeypatch.setenv("TELL", shlex.join([sys.executable, "-c", code]))
    night.write({"k0": "text 0"})
    toml = night.file().text.replace("[[source]]", f"{NOTIFY}[[source]]", 1)
    failing = toml + '[[step]]\ndo = "classify"\nmodel = "nobody"\n'
    training = toml + '[[step]]\ndo = "train gated"\n'

    def fire(file: str, *, late: bool = False) -> None:
        with night.store.write() as session:
            scheduled.put(session, night.file(file), night.folder / "night.toml")
            session.execute(update(Schedule).values(next_at=now(-1)))
        firing.turn(night.store)
        if late:
            with night.store.write() as session:
                session.execute(update(Run).values(deadline_at=now(-1)))
            firing.turn(night.store)
        with night.store.read() as session:
            night_id = running.open_of(session, "news")
        assert night_id is not None
        night.finish(night_id)
        firing.turn(night.store)
        delivering.deliver_some(night.store)

    fire(failing, late=True)
    fire(training)
    with night.store.write() as session:
        session.execute(update(Run).values(deadline_at=None))
    night.write({"k0": "text 0", "k1": "text 1"})
    fire(training + "parameters = { quality = 0.1 }\n")
    events = [json.loads(line)["event"] for line in told.read_text().splitlines()]
    assert events == ["late", "failed", "recovered", "model refused"]
    assert "there is no model 'nobody'" in told.read_text()
    with night.store.read() as session:
        rows = session.execute(text("SELECT state, note FROM v_night ORDER BY run_id")).all()
    assert [row.state for row in rows] == ["failed", "finished", "finished"], rows


def test_a_night_that_was_missed_or_skipped_says_so(night: NightRun) -> None:
    """And what came in belongs to the night that ran."""
    night.write({"k0": "text 0"})
    toml = night.file().text.replace("[[source]]", "[schedule]\ncron = '0 1 * * *'\n[[source]]", 1)
    with night.store.write() as session:
        scheduled.put(session, night.file(toml), night.folder / "night.toml")
    night.run(toml)
    firing.turn(night.store)
    with night.store.write() as session:
        schedule_id = session.execute(text("SELECT id FROM schedule")).scalar_one()
        for n, state in enumerate((RunState.SKIPPED, RunState.MISSED)):
            due_at = clock(session) + timedelta(seconds=n)
            runs.add(session, schedule_id, due_at, state=state, note=f"why {state}")
    night.write({"k0": "text 0", "k1": "text 1"})
    night.run(toml)
    firing.turn(night.store)
    with night.store.read() as session:
        rows = session.execute(
            text("SELECT run_id, state, n_new, note, previous_run_id FROM v_night ORDER BY run_id")
        ).all()
    assert [tuple(row)[1:4] for row in rows] == [
        ("finished", 1, None), ("skipped", 0, "why skipped"), ("missed", 0, "why missed"), ("finished", 1, None),
    ]  # fmt: skip
    assert [row.previous_run_id for row in rows] == [None, None, None, rows[0].run_id]
