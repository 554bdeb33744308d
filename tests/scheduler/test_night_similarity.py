"""Similarity in nights: only the lists that can be other ones are made again, and all lists are right after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.documents import NewDocument
from db.store import Store
from scheduler import requests
from scheduler.requests import JobRequest
from tests.db.builders import add, job_of
from tests.scheduler.nights import NightRun, facts, night_run

WORDS = (
    "harbour",
    "ferry",
    "storm",
    "engine",
    "bakery",
    "bread",
    "oven",
    "flour",
    "금리",
    "은행",
    "대출",
    "예금",
)
NEWEST = """
SELECT document_key, neighbour_key, rank, score FROM v_similar WHERE collection = 'news' AND is_current
ORDER BY document_key, rank
"""


@pytest.fixture
def night(store: Store, tmp_path: Path) -> Iterator[NightRun]:
    with night_run(store, tmp_path) as found:
        yield found


def _words(i: int) -> str:
    return " ".join([*WORDS[i % 3 * 4 : i % 3 * 4 + 4], WORDS[i % 12], WORDS[i * 7 % 12]])


def _job(night: NightRun, request: JobRequest) -> None:
    with night.store.write() as session:
        job_id = requests.submit(session, request).job_id
    for _ in range(50):
        if job_of(night.store, job_id).state == "finished":
            return
        night.work()
        night.mover.move_jobs()
    raise AssertionError(f"job {job_id} does not end")


def _lists(night: NightRun) -> list[Any]:
    with night.store.read() as session:
        return [(a, b, rank, round(score, 5)) for a, b, rank, score in session.execute(text(NEWEST))]


@pytest.mark.parametrize(("scope", "is_merged"), [("collection", True), ("all", False)])
def test_lists_that_name_what_goes_are_made_again(night: NightRun, scope: str, is_merged: bool) -> None:
    add(night.store, [NewDocument(f"t{i}", _words(i), None, "t") for i in range(36)], "training")
    small = {"vector_size": 6, "epochs": 10, "min_count": 1, "sample": 0}
    _job(night, JobRequest("train-similarity", "training", "m", small))
    toml = night.file().text.replace('do = "oracle"', 'do = "similarity"\nmodel = "m"')
    toml += f'parameters = {{ k = 2, scope = "{scope}" }}\n'
    texts = {f"k{i:02}": _words(i) for i in range(24)}
    night.write(texts)
    night.run(toml)
    before = _lists(night)
    assert facts(night.plan(toml), "similarity") == {"unchanged": 24}

    gone = {"k00", "k01"}
    del texts["k01"]
    night.write(texts | {"k00": _words(5), "n00": _words(7)})
    plan = night.plan(toml)
    planned = night.planned(plan.id, "similarity")
    naming = {a for a, b, _, _ in before if b in gone} - gone
    others = naming if is_merged else set(texts) - {"k00"}
    assert {key for key, reason in planned.items() if reason == "others changed"} == others
    assert facts(plan, "similarity")["unchanged"] == 22 - len(others)
    done = night.run(toml, plan.id)
    assert set(night.executed(done, "similarity")) == set(planned) == others | {"k00", "n00"}
    assert 0 < len(naming) < 22

    # Only a removal: nothing is new, but lists are outdated.
    lists = _lists(night)
    night.write(
        {key: body for key, body in (texts | {"k00": _words(5), "n00": _words(7)}).items() if key != "k02"}
    )
    plan = night.plan(toml)
    naming = {a for a, b, _, _ in lists if b == "k02"} - {"k02"}
    assert set(night.planned(plan.id, "similarity")) == (
        naming if is_merged else {a for a, *_ in lists} - {"k02"}
    )
    night.run(toml, plan.id)
    assert facts(night.plan(toml), "similarity") == {"unchanged": 23}
    merged = _lists(night)
    _job(night, JobRequest("similarity", "news", "m", {"k": 2, "scope": scope}))
    assert _lists(night) == merged
