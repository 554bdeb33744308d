"""A request that is sent twice with the same Idempotency-Key is carried out once."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from db.access import Role
from db.store import Store
from docmill.web.api.idempotency import Forgetting
from docmill.web.api.routes import operations
from tests.db.builders import sql
from tests.web.api.conftest import Program, lines, with_key

JOB = {"kind": "oracle", "collection": "inbox"}
SCHEDULE = {"name": "nightly", "cron": "@daily", "jobs": [JOB]}


def _post(program: Program, path: str, body: Any, key: str) -> Any:
    return program.post(f"/v1{path}", json=body, headers={"idempotency-key": key})


def _jobs(store: Store) -> int:
    return int(sql(store, "SELECT count(*) AS n FROM job")[0].n)


def test_the_same_key_and_request_gets_the_same_answer(program: Program, store: Store) -> None:
    program.add("inbox", lines(3))
    first, again = (_post(program, "/jobs", body, "a") for body in (JOB, dict(reversed(JOB.items()))))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert _jobs(store) == 1
    assert sql(store, "SELECT key FROM job")[0].key == "a operate key/a"
    other = _post(program, "/jobs", JOB | {"priority": 7}, "a")
    assert (other.status_code, other.json()["type"]) == (422, "urn:docmill:problem:key-of-another-request")
    assert "use a new key" in other.json()["detail"]
    assert _post(program, "/jobs/1/cancel", {}, "a").status_code == 422, "another path"
    assert _post(with_key(store, Role.SUBMIT), "/jobs", JOB, "a").json()["id"] != first.json()["id"]
    assert _jobs(store) == 2


def test_a_replayed_answer_has_the_headers_of_the_first(program: Program) -> None:
    for path, body, more in (
        ("/collections/inbox/documents", lines(3), {"content-type": "application/x-ndjson"}),
        ("/jobs", json.dumps(JOB), {"content-type": "application/json"}),
        ("/schedules", json.dumps(SCHEDULE), {"content-type": "application/json"}),
    ):
        first, again = (
            program.post(f"/v1{path}", content=body, headers=more | {"idempotency-key": path})
            for _ in range(2)
        )
        assert (first.status_code, first.text) == (again.status_code, again.text)
        told = dict(again.headers)
        assert told.pop("idempotent-replayed") == "true"
        assert _without_rate(told) == _without_rate(dict(first.headers))


def test_all_that_is_replayed_is_json() -> None:
    """Only status and body are kept: an operation with another media type would be replayed as JSON."""
    keyed = [one for one in operations() if one.takes_idempotency_key]
    assert len(keyed) > 5
    assert [one.name for one in keyed if one.media or one.answers is None or one.headers] == []


def _without_rate(headers: dict[str, str]) -> dict[str, str]:
    """What is left of the minute changes with each request."""
    return {name: value for name, value in headers.items() if name != "ratelimit"}


def test_a_refused_request_leaves_its_key_free(program: Program, store: Store) -> None:
    program.add("inbox", lines(3))
    assert _post(program, "/jobs", JOB | {"where": "year = 99"}, "a").status_code == 409
    assert _post(program, "/jobs", JOB | {"where": "yaer = 99"}, "a").status_code == 422
    assert _post(program, "/jobs", JOB, "a").status_code == 201
    for key in ("", "x" * 256, "\x7f"):
        assert _post(program, "/jobs", JOB, key).status_code == 422
    assert _jobs(store) == 1


@pytest.mark.parametrize("path", ["/jobs", "/schedules/nightly/run"])
def test_of_many_at_the_same_time_one_is_carried_out(program: Program, store: Store, path: str) -> None:
    program.add("inbox", lines(3))
    program.tell("/schedules", {"name": "nightly", "cron": "@daily", "jobs": [JOB]}, 201)
    ready = threading.Barrier(4)

    def send(_: int) -> Any:
        ready.wait()
        return _post(program, path, JOB if path == "/jobs" else {}, "together")

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(send, range(4)))
    assert [answer.status_code for answer in answers] == [201] * 4, answers[0].text
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 3
    assert _jobs(store) == 1


def test_keys_of_yesterday_are_forgotten_but_a_jobs_key_is_not(program: Program, store: Store) -> None:
    program.add("inbox", lines(3))
    job = _post(program, "/jobs", JOB, "a").json()["id"]
    old = "'2020-01-01 00:00:00.000000'" if store.is_sqlite else "now() - interval '25 hours'"
    with store.write() as session:
        session.execute(text(f"UPDATE idempotent_request SET created_at = {old}"))
    Forgetting().now_and_then(store)
    assert sql(store, "SELECT count(*) AS n FROM idempotent_request")[0].n == 0
    again = _post(program, "/jobs", JOB, "a")
    assert again.json() == {"id": job, "n_documents": 3, "created": False}
