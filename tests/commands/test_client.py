"""`from docmill import ...`: what scripts use, on both databases, and two stores in one process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import docmill
from db.store import Store
from docmill import Client, DocmillError
from docmill.errors import (
    ConflictError,
    InvalidRequestError,
    NoStoreError,
    NotFoundError,
    NothingToDoError,
    StoreError,
    UnreachableStoreError,
    WaitTimeoutError,
    only_docmill_errors,
)
from tests.commands.conftest import Shell

TEXTS = [{"id": f"k{i}", "text": f"First {i}. Second {i}. Third {i}. Fourth {i}."} for i in range(3)]


def url(store: Store) -> str:
    return store.url.render_as_string(hide_password=False)


def test_from_records_to_results(shell_on_both: Shell) -> None:
    shell = shell_on_both
    with Client(url(shell.store)) as client:
        assert client.add_records(TEXTS, collection="inbox").n_new == 3
        assert client.add_records(TEXTS, collection="inbox").n_unchanged == 3
        job = client.submit("summarize", collection="inbox", parameters={"sentences": 1}, key="once")
        assert client.submit("summarize", collection="inbox", parameters={"sentences": 1}, key="once") == job
        assert not job.progress().ended
        with pytest.raises(WaitTimeoutError, match="0 of 3 documents"):
            job.wait(timeout_seconds=0)
        shell.work(job.id)

        assert job.wait().n_ok == 3
        assert [row["document_key"] for row in job.results()] == ["k0", "k1", "k2"]
        assert len(list(job.results("summary_sentence"))) == 3
        assert list(job.errors()) == []
        assert client.job(job.id) == job
        assert [one.job_id for one in client.jobs(limit=5)] == [job.id]
        assert client.sql("SELECT document_key FROM v_latest_summary ORDER BY 1", limit=2) == [
            {"document_key": "k0"},
            {"document_key": "k1"},
        ]
    # Closed connections are opened again.
    assert client.job(job.id).progress().ended
    client.close()


def test_errors_are_retried_and_a_job_is_cancelled(shell_on_both: Shell) -> None:
    shell = shell_on_both
    client = Client(url(shell.store))
    client.add_records([{"id": "good", "text": "fine"}, {"id": "bad", "text": "!raise"}], collection="inbox")
    job = client.submit("oracle", collection="inbox")
    with pytest.raises(ConflictError, match="wait until it has ended"):
        job.retry()
    shell.work(job.id)
    assert [row["document_key"] for row in job.errors()] == ["bad"]

    client.add_records([{"id": "bad", "text": "fine now"}], collection="inbox")
    again = job.retry()
    assert (again.n_documents, again.created) == (1, True)
    shell.work(again.id)
    assert list(again.errors()) == []
    with pytest.raises(NothingToDoError):
        again.retry()

    stopped = client.submit("oracle", collection="inbox")
    stopped.cancel()
    shell.work(stopped.id)
    assert stopped.wait().state == "cancelled"
    client.close()


def test_bad_records_are_reported_with_their_number(shell_on_both: Shell) -> None:
    client = Client(url(shell_on_both.store))
    report = client.add_records(
        [
            {"id": "a", "text": "fine", "label": "x"},
            {"id": "b"},
            {"text": "no key"},
            {"id": "a", "text": "again"},
            {"id": "c", "text": 7},
            "no dictionary",  # type: ignore[list-item]
            {"id": "d", "text": "fine", "label": {}},
        ],
        collection="inbox",
    )
    assert report.n_new == 1
    assert [(record.line, record.code) for record in report.bad] == [
        (2, "MISSING_TEXT"),
        (3, "MISSING_KEY"),
        (4, "DUPLICATE_KEY"),
        (5, "TEXT_TYPE"),
        (6, "NOT_AN_OBJECT"),
        (7, "LABEL_TYPE"),
    ]
    assert (
        str(report.bad[0]) == "records:2: MISSING_TEXT: the record has no field 'text' (it has: id) (key b)"
    )
    client.close()


def test_two_clients_on_two_stores(tmp_path: Path) -> None:
    with Client(f"sqlite:///{tmp_path}/one.db") as one, Client(f"sqlite:///{tmp_path}/two.db") as two:
        one.add_records(TEXTS, collection="inbox")
        two.add_records(TEXTS[:1], collection="inbox")
        [path] = [tmp_path / "more.txt"]
        path.write_text("One more text.", encoding="utf-8")
        two.add(path, collection="inbox")
        count = "SELECT count(*) AS n FROM document"
        assert (one.sql(count), two.sql(count)) == ([{"n": 3}], [{"n": 2}])
        assert one.submit("summarize", collection="inbox").n_documents == 3
        assert two.submit("summarize", collection="inbox").n_documents == 2
        two.set_label("k0", "good")
        assert one.sql("SELECT count(*) AS n FROM given_label") == [{"n": 0}]


def test_the_errors_are_of_one_tree(tmp_path: Path) -> None:
    with pytest.raises(NoStoreError):
        Client().jobs()
    with pytest.raises(NoStoreError):
        docmill.job(1)
    client = Client(f"sqlite:///{tmp_path}/one.db")
    client.add_records(TEXTS, collection="inbox")
    for wrong, call in (
        (InvalidRequestError, lambda: client.submit("nonsense", collection="inbox")),
        (InvalidRequestError, lambda: client.submit("summarize", collection="inbox", parameters={"x": 1})),
        (InvalidRequestError, lambda: client.sql("DELETE FROM document")),
        (InvalidRequestError, lambda: client.add_records([], collection=" ")),
        (
            InvalidRequestError,
            lambda: list(client.submit("summarize", collection="inbox").results("keyword")),
        ),
        (NotFoundError, lambda: client.submit("summarize", collection="outbox")),
        (NotFoundError, lambda: client.job(99)),
        (StoreError, lambda: Client("mysql://there")),
    ):
        with pytest.raises(wrong) as caught:
            call()
        assert isinstance(caught.value, DocmillError)
    assert issubclass(InvalidRequestError, ValueError)
    client.close()


@pytest.mark.stack
def test_a_database_that_goes_away_is_an_error_of_ours(empty_postgres_store: Store) -> None:
    from sqlalchemy import text

    client = Client(url(empty_postgres_store))
    client.jobs()
    with client._connection.there().read() as session:  # type: ignore[attr-defined]
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        with empty_postgres_store.write() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(UnreachableStoreError, match="does not answer"), only_docmill_errors():
            session.execute(text("SELECT 1"))
    client.close()


def test_importing_and_using_the_client_loads_no_torch() -> None:
    script = (
        "import sys, json, docmill\n"
        "light = 'sqlalchemy' in sys.modules\n"
        "from docmill import Client, add, submit, job, errors\n"
        "client = Client(); client.add_records([{'id': 'a', 'text': 'b'}], collection='c')\n"
        "client.submit('summarize', collection='c'); client.close()\n"
        "print(json.dumps([light, 'torch' in sys.modules, 'celery' in sys.modules]))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == [False, False, False]


def test_every_error_is_in_the_documentation() -> None:
    from docmill import errors

    for name in errors.__all__:
        assert name in (errors.__doc__ or "") or name == "BadRecord"
