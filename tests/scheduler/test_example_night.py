"""Three nights of examples/nightly.toml: one does all, two nothing, three exactly what changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from db import model_versions
from db.store import Store
from scheduler import requests
from scheduler.requests import JobRequest
from tests.db.builders import job_of
from tests.scheduler.nights import NightRun, facts, night_run

ROOT = Path(__file__).parents[2]
STEPS = ("extract", "classify", "summarize", "keywords")


@pytest.fixture
def night(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NightRun]:
    shutil.copytree(ROOT / "examples" / "documents", tmp_path / "documents")
    with night_run(store, tmp_path) as found:
        yield found


@pytest.mark.slow
def test_three_nights_of_the_example(night: NightRun) -> None:
    toml = (ROOT / "examples" / "nightly.toml").read_text()
    first = night.run(toml)
    assert night.state(first) == "done", night.steps(first)
    n_all = len(night.executed(first, "summarize"))
    n_files = len(night.executed(first, "extract"))
    assert night.n_outcomes() == {
        "extract": n_files, "train-classify": 24, "classify": n_all, "summarize": n_all, "keywords": n_all,
    }  # fmt: skip

    out = _written(night.folder)
    assert set(out) == {
        "night.html", "v_extractions.csv", "v_keywords.csv", "v_latest_label.csv", "v_latest_summary.csv",
        *(f"v_{name}.csv.manifest.json" for name in ("extractions", "keywords", "latest_label", "latest_summary")),
    }  # fmt: skip
    assert len(out["v_latest_label.csv"].read_text().splitlines()) == n_all + 1
    assert json.loads(out["v_latest_summary.csv.manifest.json"].read_text())["n_rows"] == n_all
    page = out["night.html"].read_text()
    assert "jobs have ended." in page

    before = night.n_outcomes()
    second = night.run(toml)
    assert night.state(second) == "done"
    assert night.n_outcomes() == before
    assert all(state in ("skipped", "done") for state, _, _ in night.steps(second).values())

    _another_champion(night)
    before = night.n_outcomes()
    _edit(night.folder / "documents")
    plan = night.plan(toml)
    assert facts(plan, "add") == {"unchanged": n_all - 3, "new": 4, "changed text": 2, "removed": 1}
    assert facts(plan, "extract") == {"unchanged": n_files, "new": 1}
    assert facts(plan, "summarize") == {"unchanged": n_all - 3, "new": 3, "changed text": 2, "from a file": 1}
    assert facts(plan, "classify") == {
        "unchanged": 0, "newer model": n_all - 3, "new": 3, "changed text": 2, "from a file": 1,
    }  # fmt: skip
    third = night.run(toml, plan.id)
    assert night.executed(third, "extract") == {"broken.hwpx": "BROKEN_FILE"} or set(
        night.executed(third, "extract")
    ) == {"broken.hwpx"}
    changed = {"byeolmaru-plant-news", "filings-changed", "new-1", "new-2", "new-3"}
    executed = night.executed(third, "summarize")
    assert len(executed) == 5, executed
    assert {key for key in executed if key.startswith("new-")} == {
        key for key in changed if key.startswith("new-")
    }
    after = night.n_outcomes()
    assert after - before == {"extract": 1, "classify": n_all - 1 + 3, "summarize": 5, "keywords": 5}

    # And the broken file is not read again, since it would fail again.
    fourth = night.run(toml)
    assert night.n_outcomes() == after, night.steps(fourth)


def _written(folder: Path) -> dict[str, Path]:
    """What the export and the report of the night wrote, by name."""
    [day] = (folder / "out").iterdir()
    return {path.name: path for path in day.iterdir()}


def _edit(documents: Path) -> None:
    """Three new documents, two changed ones, a broken file, one that is removed."""
    news = documents / "news.jsonl"
    lines = [json.loads(line) for line in news.read_text().splitlines()]
    lines[0]["text"] = f"Changed. {lines[0]['text']}"
    lines += [{"id": f"new-{n}", "text": f"A new ship, number {n}, left. It sails north."} for n in (1, 2, 3)]
    news.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))
    filings = sorted((documents / "filings").iterdir())
    filings[0].write_text(filings[0].read_text() + "\nAnother sentence.")
    filings[1].unlink()
    (documents / "files" / "broken.hwpx").write_bytes(b"PK\x03\x04 and nothing of it is a file")


def _another_champion(night: NightRun) -> None:
    request = JobRequest("train-classify", "nightly", "opinions", {"seed": 1})
    with night.store.write() as session:
        job_id = requests.submit(session, request).job_id
    while job_of(night.store, job_id).state != "finished":
        night.work()
        night.mover.move_jobs()
    with night.store.write() as session:
        model_versions.promote(session, "opinions@2", force=True)
