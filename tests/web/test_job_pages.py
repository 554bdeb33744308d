"""The page of a job: what leads from it to documents, models and nights, and that cancelled is not failed."""

from __future__ import annotations

import re
from html import unescape

from sqlalchemy import text

from db import chunks, jobs, model_versions
from db.chunks import Written
from db.documents import NewDocument
from db.results import Rows
from db.states import JobState
from db.store import Store
from tests.db.builders import a_job, add, finish, held, job_of, sql, stop_some, submit, the_chunk
from tests.web.conftest import Browser

KEY = "보고서 <1>.txt"


def _labelled(store: Store) -> int:
    """A job with a label, by a model version, in a night."""
    trained = a_job(store, 1, kind="train-classify", model_ref="topics")
    with store.write() as session:
        model_versions.register(session, trained, "topics/1", "ab" * 32, {})
    job_id = submit(store, add(store, [NewDocument(KEY, "A text.", None, "f:1")], "inbox")).job_id
    one = held(store, the_chunk(store, job_id).id)
    (document,) = one.document_ids
    columns = ("document_id", "rank", "label", "score", "reason")
    rows = {"classification": Rows(columns, [(document, 1, "good <b>", 0.9, None)])}
    with store.write() as session:
        chunks.write(session, one, Written([document], rows=rows), 60, close=True)
        session.execute(
            text("UPDATE job SET kind = 'classify', model_version_id = (SELECT max(id) FROM model_version) "
                 "WHERE id = :id"), {"id": job_id},
        )  # fmt: skip
    assert finish(store, job_id)
    return job_id


def test_a_job_leads_to_its_documents_its_model_and_its_results(store: Store, browser: Browser) -> None:
    job_id = _labelled(store)
    seen = browser.see(f"/jobs/{job_id}")
    assert "good &lt;b&gt;" in seen
    paths = [unescape(found) for found in re.findall(r'href="([^"]+)"', seen)]
    for beginning, holds in (
        ("/document?", "A text."),
        ("/models/figures?", "topics@1"),
        (f"/jobs/{job_id}/results", "good &lt;b&gt;"),
        ("/documents?collection=inbox", "보고서"),
    ):
        [path, *_] = [path for path in paths if path.startswith(beginning)]
        assert holds in browser.see(path), path


def test_what_was_cancelled_is_not_among_what_failed(store: Store, browser: Browser) -> None:
    """A document failed before two others were cancelled."""
    job_id = a_job(store, 3, per_chunk=1)
    first = held(store, sql(store, "SELECT min(id) AS id FROM chunk")[0].id)
    with store.write() as session:
        chunks.write(
            session, first, Written(errors=[(first.document_ids[0], "CORRUPT", "damaged")]), 60, close=True
        )
        jobs.stop(session, job_id, "CANCELLED", "the job was cancelled")
    stop_some(store, job_id)
    assert finish(store, job_id)
    assert job_of(store, job_id).state == JobState.CANCELLED
    seen = browser.see(f"/jobs/{job_id}")
    assert "CORRUPT" in seen
    assert ">CANCELLED<" not in seen
    assert "2 documents were not tried" in seen
    assert "Retry 3 documents without a result" in seen
    for path in ("/", "/jobs"):
        assert re.search(r'class="number bad" data-name="failed">1<', browser.see(path)), path
