"""What nights write: exports and the digest, also when a step fails, and the same after a crash."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from db.store import Store
from scheduler.nights import applying
from scheduler.nights.advancing import NightMover
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
