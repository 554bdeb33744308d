"""Errors: problem+json for each, with what to do about it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from db.store import Store
from docmill.web.api import problems
from tests.web.api.conftest import Program, lines, with_key


@pytest.fixture
def full(program: Program) -> Program:
    program.add("inbox", lines(3))
    return program


JOB: dict[str, Any] = {"kind": "oracle", "collection": "inbox"}


WRONG_FIELDS: list[tuple[dict[str, Any], int, str | None, str]] = [
    ({"collection": "inbox"}, 422, "/kind", "this is needed"),
    (JOB | {"kinds": 1}, 422, "/kinds", "did you mean 'kind'?"),
    (JOB | {"priority": 10}, 422, "/priority", "less than or equal to 9"),
    (JOB | {"priority": "5"}, 422, "/priority", "valid integer"),
    (JOB | {"kind": "oracel"}, 422, "/kind", "there is no kind 'oracel': choose one of"),
    (JOB | {"parameters": {"bach": 1}}, 422, "/parameters", "did you mean 'batch'?"),
    (JOB | {"parameters": {"batch": "many"}}, 422, "/parameters", "batch must be a whole number"),
    (JOB | {"where": "year ><"}, 422, None, "year"),
    (JOB | {"collection": "inbos"}, 404, None, "there are: inbox"),
    (JOB | {"after": 77}, 404, None, "GET /v1/jobs lists the jobs"),
    (JOB | {"after": 2**60}, 422, "/after", "less than"),
    (JOB | {"model": "m"}, 422, None, "uses no model: omit model"),
    (JOB | {"submitter": "\x1b"}, 422, None, "submitter"),
    (JOB | {"where": "year > 2000"}, 409, None, "nothing to do"),
    (JOB | {"collection": "in\0box"}, 422, None, "U+0000"),
]


def test_a_wrong_field_is_named_with_what_is_allowed(full: Program) -> None:
    for body, status, where, words in WRONG_FIELDS:
        told = full.tell("/jobs", body, status)
        assert words in told["detail"], body
        assert "docmill " not in told["detail"], body
        assert "--" not in told["detail"], body
        assert where is None or told["errors"][0]["pointer"] == where, body
    assert full.ask("/jobs")["data"] == []


def test_bodies_that_are_none_are_refused(full: Program) -> None:
    def post(content: bytes, type_: str = "application/json") -> Any:
        return full.post("/v1/jobs", content=content, headers={"content-type": type_})

    for content in (b"", b"{", b"\xff", b"[1]", b'{"kind": "\\ud800", "collection": "inbox"}'):
        answer = post(content)
        assert answer.status_code in (400, 422), content
        assert answer.json()["detail"]
    assert post(b"{}", "text/plain").status_code == 415
    assert "Content-Type" in post(b"{}", "text/plain").json()["detail"]
    assert post(b" " * 4_300_000).status_code == 413
    packed = full.post(
        "/v1/jobs", content=b"{}", headers={"content-type": "application/json", "content-encoding": "gzip"}
    )
    assert packed.status_code == 415


WRONG_PATHS = [
    ("/nothing", 404, "/v1/openapi.json"),
    ("/jobs/9", 404, "there is no job 9: GET /v1/jobs lists the jobs"),
    ("/jobs/x", 404, "there is no job 'x'"),
    ("/jobs/99999999999999999999999", 404, "there is no job"),
    ("/jobs/%00", 404, "no such job_id"),
    ("/jobs?limit=0", 422, "limit: "),
    ("/jobs?limit=1e3", 422, "write a whole number"),
    ("/jobs?limits=1", 422, "did you mean 'limit'?"),
    ("/jobs?limit=1&limit=2", 422, "more than once"),
    ("/jobs?after=xyz", 422, "no cursor of this list"),
    ("/jobs?state=lost", 422, "state: "),
    ("/jobs?kind=%00", 422, "U+0000"),
    ("/collections/none", 404, "there is no collection 'none'"),
    ("/collections/inbox/documents/k9", 404, "there is no document 'k9'"),
    ("/collections/inbox/documents?where=%27", 422, "'"),
    ("/models/none", 404, "GET /v1/models lists them"),
    ("/kinds/none", 404, "there is no kind 'none'"),
    ("/schedules/none", 404, "there is no schedule 'none'"),
    ("/labels?collection=none", 404, "there is no collection"),
]


def test_what_is_not_there_or_not_understood_is_said(full: Program) -> None:
    for path, status, words in WRONG_PATHS:
        told = full.ask(path, status)
        assert words in told["detail"], path
        assert told["status"] == status
        assert told["title"]
        assert told["type"].startswith("urn:docmill:problem:")


def test_a_method_that_a_path_lacks_is_told_with_those_it_has(full: Program) -> None:
    answer = full.delete("/v1/jobs")
    told = full.told(answer, 405)
    assert {*answer.headers["allow"].split(", ")} >= {"GET", "POST"}
    assert "GET" in told["detail"]


def test_a_store_that_is_away_is_503_and_a_defect_says_nothing_of_its_inside(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = with_key(sqlite_store)

    def fail(error: Exception) -> Any:
        def raising(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("db.job_lists.page", raising)
        return program.get("/v1/jobs")

    away = fail(OperationalError("SELECT secret", {}, Exception("connection refused")))
    assert (away.status_code, away.headers["retry-after"]) == (503, "5")
    assert "secret" not in away.text
    defect = fail(KeyError("secret"))
    assert defect.status_code == 500
    assert "secret" not in defect.text
    assert "secret" in caplog.text


def test_an_unknown_error_of_the_database_about_a_value_is_the_requests() -> None:
    assert problems.of_error(OverflowError("int too large")).status == 422
    assert problems.of_error(ValueError("no")).detail == "no"
    assert problems.of_error(UnicodeDecodeError("utf-8", b"", 0, 1, "no")).status == 500
