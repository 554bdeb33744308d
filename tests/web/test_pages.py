"""What the pages show and do, over stores with jobs that ended well and badly."""

from __future__ import annotations

import re
from html import unescape

from sqlalchemy import text

from db import registry
from db.access import Role
from db.documents import NewDocument
from db.states import JobState
from db.store import Store
from tests.db.builders import (
    a_job,
    add,
    finish,
    held,
    job_of,
    sql,
    submit,
    the_chunk,
)
from tests.web.conftest import Browser, signed_in
from workers.processes.heartbeat import member

#: What a document, its key, its label and its error may hold.
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def _failed_job(store: Store, detail: str = "it was damaged") -> int:
    """Two documents, of which one failed."""
    from db import chunks
    from db.chunks import Written

    job_id = a_job(store, 2)
    held_chunk = held(store, the_chunk(store, job_id).id)
    first, second = held_chunk.document_ids
    with store.write() as session:
        chunks.write(session, held_chunk, Written([first], [(second, "CORRUPT", detail)]), 60, close=True)
    assert finish(store, job_id)
    return job_id


def test_the_overview_names_what_failed_in_one_click(store: Store, browser: Browser) -> None:
    assert "Nothing needs you" in browser.see("/")
    job_id = _failed_job(store)
    seen = browser.see("/")
    assert "1 thing needs you" in seen
    assert "1 document CORRUPT" in seen
    assert "it was damaged" in seen
    assert f'href="/jobs/{job_id}"' in seen
    job = browser.see(f"/jobs/{job_id}")
    assert "CORRUPT" in job
    assert "docmill add" in job


def test_a_list_is_filtered_and_goes_on_with_older_jobs(store: Store, browser: Browser) -> None:
    collection = add(store, [NewDocument("k", "text", None, "f")], "many")
    for _ in range(60):
        submit(store, collection)
    failed = _failed_job(store)
    numbers = [int(n) for n in re.findall(r'href="/jobs/(\d+)"', browser.see("/jobs"))]
    assert numbers[0] == failed
    assert len(numbers) == 50
    older = re.search(r'href="(/jobs\?[^"]+)">Older', browser.see("/jobs"))
    assert older is not None
    rest = [int(n) for n in re.findall(r'href="/jobs/(\d+)"', browser.see(older[1].replace("&amp;", "&")))]
    assert len(numbers + rest) == len(set(numbers + rest)) == 61
    only = re.findall(r'href="/jobs/(\d+)"', browser.see("/jobs?state=failing"))
    assert only == [str(failed)]
    assert "No job matches" in browser.see("/jobs?collection=nobody")
    assert len(re.findall(r'href="/jobs/(\d+)"', browser.see("/jobs?collection=many&state=open"))) == 50


def test_an_action_asks_first_and_then_does_it_to_all_that_match(store: Store, browser: Browser) -> None:
    jobs = [a_job(store, 1) for _ in range(3)]
    asked = browser.fill_in("/jobs/act", {"action": "cancel", "all": "1", "state": "open"})
    assert "Cancel 3 jobs?" in asked
    assert {job_of(store, job).state for job in jobs} == {JobState.RUNNING}
    done = browser.fill_in("/jobs/act", {"action": "cancel", "job": str(jobs[0]), "confirmed": "1"})
    assert "Done for 1" in done
    assert job_of(store, jobs[0]).state == JobState.CANCELLING
    assert job_of(store, jobs[1]).state == JobState.RUNNING
    refused = browser.fill_in("/jobs/act", {"action": "retry", "job": str(jobs[1]), "confirmed": "1"})
    assert "Not done" in refused
    failed = _failed_job(store)
    browser.fill_in("/jobs/act", {"action": "retry", "job": str(failed), "confirmed": "1"})
    assert sql(store, "SELECT max(n_documents) AS n FROM job WHERE id > :id", id=failed)[0].n == 1


def test_who_may_only_read_is_shown_no_action_and_refused_any(store: Store) -> None:
    job_id = a_job(store, 1)
    reader = signed_in(store, Role.READ)
    for path in ("/jobs", f"/jobs/{job_id}"):
        assert "/jobs/act" not in reader.see(path)
    token = re.search(r'name="form_token" value="([^"]+)"', reader.see("/"))
    assert token is not None
    for path in (
        "/jobs/act",
        "/models/move",
        "/quarantine/release",
        "/document/label?collection=news&key=k0",
    ):
        answer = reader.post(
            path, data={"form_token": token[1], "action": "cancel", "job": "1", "label": "x"}
        )
        assert answer.status_code == 403, path
    assert job_of(store, job_id).state == JobState.RUNNING


def test_who_may_submit_may_retry_and_no_more(store: Store) -> None:
    failed = _failed_job(store)
    running = a_job(store, 1)
    submitter = signed_in(store, Role.SUBMIT)
    submitter.fill_in("/jobs/act", {"action": "retry", "job": str(failed), "confirmed": "1"})
    assert sql(store, "SELECT count(*) AS n FROM job")[0].n == 3
    submitter.fill_in("/jobs/act", {"action": "cancel", "job": str(running), "confirmed": "1"}, status=403)
    assert job_of(store, running).state == JobState.RUNNING


def test_a_document_shows_everything_and_takes_a_correction(store: Store, browser: Browser) -> None:
    from db import chunks
    from db.chunks import Written
    from db.results import Rows

    key = "folder/보고서 #1?.txt"
    collection = add(store, [NewDocument(key, "First sentence. Second one.", None, "f:1")], "inbox")
    job_id = submit(store, collection, per_chunk=1).job_id
    one = held(store, the_chunk(store, job_id).id)
    (document,) = one.document_ids
    rows = {
        "summary": Rows(
            ("document_id", "summary", "method", "n_sentences"), [(document, "Second one.", "m", 2)]
        ),
        "summary_sentence": Rows(
            ("document_id", "position", "start_char", "end_char", "score"), [(document, 1, 16, 27, 1.0)]
        ),
        "classification": Rows(
            ("document_id", "rank", "label", "score", "reason"), [(document, 1, "good", 0.9, None)]
        ),
        "entity": Rows(
            ("document_id", "rank", "start_char", "end_char", "label", "text", "score", "source", "normal"),
            [(document, 1, 0, 5, "ORDINAL", "First", 1.0, "rule", "1")],
        ),
    }
    with store.write() as session:
        chunks.write(session, one, Written([document], rows=rows), 60, close=True)
    listed = browser.see("/documents?collection=inbox")
    link = unescape(re.findall(r'href="(/document\?[^"]+)"', listed)[0])
    seen = browser.see(link)
    assert '<mark class="entities">First</mark> sentence. <mark class="summary">Second one.</mark>' in seen
    assert "ORDINAL: 1" in seen
    assert "good" in seen
    assert key in seen
    browser.fill_in(link.replace("/document?", "/document/label?"), {"label": "bad"})
    assert "bad" in browser.see(link)
    assert sql(store, "SELECT label FROM given_label")[0].label == "bad"
    assert "docmill collections" in browser.see("/document?collection=inbox&key=nothing", 404)


def test_texts_keys_and_errors_are_never_markup(store: Store, browser: Browser) -> None:
    add(store, [NewDocument(f"{EVIL}{n}", EVIL, EVIL, EVIL) for n in range(2)], "news")
    collection = sql(store, "SELECT id FROM collection")[0].id
    job_id = submit(store, collection).job_id
    crash_each(store, job_id)
    with store.write() as session:
        session.execute(text("UPDATE job SET note = :note, model_ref = :note"), {"note": EVIL})
    paths = [
        "/",
        "/jobs",
        f"/jobs/{job_id}",
        "/collections",
        "/documents?collection=news",
        "/quarantine",
        "/nights",
    ]
    listed = browser.see("/documents?collection=news")
    paths += map(unescape, re.findall(r'href="(/document\?[^"]+)"', listed)[:1])
    assert "key=" in paths[-1]
    paths += [
        f"/documents?collection={EVIL}",
        f"/jobs?kind={EVIL}&collection={EVIL}",
        f"/models/figures?model={EVIL}",
    ]
    for path in paths:
        answer = browser.get(path)
        assert answer.status_code in (200, 404), path
        assert "<script>alert" not in answer.text, path
        assert "<img" not in answer.text, path


def crash_each(store: Store, job_id: int) -> None:
    """Every document of a job gets an outcome that puts it into quarantine."""
    from db import chunks
    from db.chunks import Written

    one = held(store, the_chunk(store, job_id).id)
    with store.write() as session:
        chunks.write(
            session, one, Written(errors=[(d, "POISON", EVIL) for d in one.document_ids]), 60, close=True
        )
    assert finish(store, job_id)


def test_quarantine_shows_and_releases(store: Store, browser: Browser) -> None:
    add(store, [NewDocument("a key", "text", None, "f")], "news")
    job_id = submit(store, sql(store, "SELECT id FROM collection")[0].id).job_id
    crash_each(store, job_id)
    assert "a key" in browser.see("/quarantine")
    browser.fill_in("/quarantine/release", {"job": str(job_id), "key": "a key"})
    assert "Nothing is in quarantine" in browser.see("/quarantine")


def test_workers_are_shown_and_a_host_is_drained(store: Store, browser: Browser) -> None:
    assert "No worker" in browser.see("/workers")
    with store.write() as session:
        registry.beat(session, [member("worker", "cpu-0@vm", "abc", "cpu", ["summarize"])])
    seen = browser.see("/workers")
    assert "cpu-0@vm" in seen
    host = sql(store, "SELECT host FROM worker")[0].host
    browser.fill_in("/workers/drain", {"level": "host", "name": host, "action": "drain"})
    assert "claims nothing" in browser.see("/workers")
    browser.fill_in("/workers/drain", {"level": "host", "name": host, "action": "undrain"})
    assert "claims nothing" not in browser.see("/workers")
    browser.fill_in("/workers/drain", {"level": "everything", "name": host}, status=400)


def test_a_store_that_is_away_is_said_and_nothing_else_is_lost(store: Store, browser: Browser) -> None:
    browser.see("/jobs")
    with store.write() as session:
        session.execute(text("ALTER TABLE job RENAME TO job_gone"))
    try:
        assert "docmill doctor" in browser.see("/jobs", 503)
    finally:
        with store.write() as session:
            session.execute(text("ALTER TABLE job_gone RENAME TO job"))
    browser.see("/jobs")
