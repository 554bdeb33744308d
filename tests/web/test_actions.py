"""What a person does on the pages about a bad night: look for causes, retry them, change priorities, run nights."""

from __future__ import annotations

import re

import pytest

from db.documents import NewDocument
from db.store import Store
from docmill.web import causes
from tests.db.builders import a_job, add, chunks_of, finish, held, job_of, sql, submit, write_ok
from tests.web import rich_store
from tests.web.conftest import Browser


def test_what_a_later_job_has_done_needs_nobody(store: Store, browser: Browser) -> None:
    failed = rich_store.fill(store)
    assert "3 documents CORRUPT" in browser.see("/")
    asked = browser.fill_in("/failures/retry", {"code": "CORRUPT"})
    assert "Retry 3 documents with CORRUPT?" in asked
    assert f'name="job" value="{failed}"' in asked
    n_jobs = sql(store, "SELECT max(id) AS n FROM job")[0].n
    done = browser.fill_in("/failures/retry", {"code": "CORRUPT", "job": str(failed), "confirmed": "1"})
    assert "tries 3 documents" in done
    (new,) = sql(store, "SELECT id, n_documents FROM job WHERE id > :n", n=n_jobs)
    assert new.n_documents == 3
    for chunk in chunks_of(store, new.id):
        write_ok(store, held(store, chunk.id))
    assert finish(store, new.id)
    seen = browser.see("/")
    assert "CORRUPT" not in seen
    assert "EMPTY_TEXT" in seen
    browser.fill_in("/failures/retry", {"code": "CORRUPT", "job": str(failed)}, status=409)


def test_causes_are_counted_up_to_a_bound_and_the_largest_is_the_rest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = rich_store.fill(store)

    def found(bound: int) -> list[tuple[str, int, bool]]:
        monkeypatch.setattr(causes, "MOST_COUNTED", bound)
        with store.read() as session:
            return [(one.code, one.n, one.is_more) for one in causes.of_job(session, job_id, 5)]

    exact = [("CORRUPT", 3, False), ("EMPTY_TEXT", 1, False), ("POISON", 1, False)]
    assert found(5_000) == exact
    assert found(2) == exact
    assert found(0) == [("CORRUPT", 0, True), ("EMPTY_TEXT", 0, True), ("POISON", 0, True)]
    with store.read() as session:
        assert causes.of_job(session, 999, 0) == []


def test_jobs_are_found_by_words_and_time(store: Store, browser: Browser) -> None:
    rich_store.fill(store)
    every = len(re.findall(r'href="/jobs/\d+"', browser.see("/jobs")))
    assert len(re.findall(r'href="/jobs/\d+"', browser.see("/jobs?words=KIM@"))) == every
    assert "No job matches" in browser.see("/jobs?words=nobody%25")
    assert "No job matches" in browser.see("/jobs?since=2999-01-01")
    assert "No job matches" in browser.see("/jobs?until=2001-01-01")
    assert (
        len(re.findall(r'href="/jobs/\d+"', browser.see("/jobs?since=2001-01-01&until=2999-01-01"))) == every
    )
    assert 'value="2001-01-01"' in browser.see("/jobs?since=2001-01-01")


def test_a_priority_is_changed_and_changed_back(store: Store, browser: Browser) -> None:
    job_id = a_job(store, 3)
    done = browser.fill_in("/jobs/act", {"action": "first", "job": str(job_id), "confirmed": "1"})
    assert job_of(store, job_id).priority == 9
    assert {chunk.priority for chunk in chunks_of(store, job_id)} == {9}
    assert "Undo: usual priority" in done
    browser.fill_in("/jobs/act", {"action": "usual", "job": str(job_id), "confirmed": "1"})
    assert job_of(store, job_id).priority == 5


def test_a_job_shows_its_throughput_origin_and_parameters_and_runs_again(
    store: Store, browser: Browser
) -> None:
    job_id = rich_store.fill(store)
    seen = browser.see(f"/jobs/{job_id}")
    plan = sql(store, "SELECT max(id) AS id FROM night_plan")[0].id
    for words in ("kim@desk", "nightly", f"plan {plan}", "Retry these", "한국은행은"):
        assert words in seen
    collection = add(store, [NewDocument(f"k{n}", "text", None, "f") for n in range(20)], "many")
    measured = submit(store, collection, kind="summarize", per_chunk=5, parameters={"sentences": 3}).job_id
    for chunk in chunks_of(store, measured):
        write_ok(store, held(store, chunk.id))
    assert finish(store, measured)
    seen = browser.see(f"/jobs/{measured}")
    assert 'aria-label="Documents a second over time"' in seen
    assert "again?" in browser.fill_in(f"/jobs/{measured}/again", {})
    browser.fill_in(f"/jobs/{measured}/again", {"confirmed": "1"})
    assert sql(store, "SELECT max(n_documents) AS n FROM job WHERE id > :id", id=measured)[0].n == 20


def test_documents_are_found_by_the_beginning_of_their_key(store: Store, browser: Browser) -> None:
    keys = ["a", "a%", "a_", "ab", "aB", "b", "가", "각", "\U0010ffff", "\U0010ffffz"]
    add(store, [NewDocument(key, f"text {key}", None, "f") for key in keys], "news")
    for beginning, expected in {
        "a": 5,
        "a%": 1,
        "ab": 1,
        "aB": 1,
        "가": 1,
        "\U0010ffff": 2,
        "": 10,
        "c": 0,
    }.items():
        listed = browser.get("/documents", params={"collection": "news", "key": beginning}).text
        assert len(re.findall(r'href="/document\?', listed)) == expected, beginning


def test_a_schedule_is_run_planned_and_paused_from_its_page(store: Store, browser: Browser) -> None:
    rich_store.fill(store)
    assert "nightly" in browser.see("/schedule?name=nightly")
    assert "Run <bdi>nightly</bdi>?" in browser.fill_in("/schedule/act", {"name": "nightly", "action": "run"})
    browser.fill_in("/schedule/act", {"name": "nightly", "action": "run", "confirmed": "1"})
    assert sql(store, "SELECT count(*) AS n FROM run WHERE cause = 'hand'")[0].n == 1
    browser.fill_in("/schedule/act", {"name": "nightly", "action": "pause", "confirmed": "1"})
    assert "paused by local" in browser.see("/schedule?name=nightly")
    browser.fill_in("/schedule/act", {"name": "nightly", "action": "resume", "confirmed": "1"})
    browser.fill_in("/schedule/act", {"name": "nightly", "action": "plan", "confirmed": "1"}, status=409)
    browser.fill_in("/schedule/act", {"name": "nightly", "action": "burn"}, status=400)
    seen = browser.see(f"/plans/{sql(store, 'SELECT max(id) AS id FROM night_plan')[0].id}")
    assert "1,204" in seen
    assert "5 documents to do" in seen


def test_versions_are_compared_and_promotion_says_what_changes(store: Store, browser: Browser) -> None:
    rich_store.fill(store)
    seen = browser.see("/models/compare?model=topics")
    for words in ("0.871", "0.884", "macro f1", "refused"):
        assert words in seen
    move = {"model": "topics", "action": "promote", "version": "2"}
    assert "use version 2 instead of version 1" in browser.fill_in("/models/move", move)
    assert sql(store, "SELECT count(*) AS n FROM model_alias WHERE previous_version_id IS NOT NULL")[0].n == 0
    browser.fill_in("/models/move", move | {"confirmed": "1"})
    asked = browser.fill_in("/models/move", {"model": "topics", "action": "rollback"})
    assert "instead of version 2" in asked
    browser.fill_in("/models/move", {"model": "topics", "action": "rollback", "confirmed": "1"})
    assert "use version 2 instead of version 1" in browser.fill_in("/models/move", move)
    browser.fill_in("/models/move", {"model": "topics", "action": "promote", "version": "x"}, status=400)


def test_what_a_version_changed_is_shown(store: Store, browser: Browser) -> None:
    rich_store.fill(store)

    def answer(key: str, version: str) -> tuple[int, str]:
        asked = {"collection": "inbox", "key": key, "version": version}
        found = browser.get("/document/changes", params=asked)
        return found.status_code, found.text

    status, text = answer("2026/기사0", "2")
    assert (status, "<ins>" in text) == (200, True)
    assert answer("x", "2")[0] == 404
    assert answer("2026/기사0", "1")[0] == 400
