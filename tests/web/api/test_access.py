"""Who may use the interface, how often, and that no other site can use it through a browser."""

from __future__ import annotations

import re

import pytest

from db.access import Role
from db.store import Store
from docmill.web.api.handling import TOKEN_HEADER
from docmill.web.api.rate import Buckets
from docmill.web.api.routes import operations
from docmill.web.app import create_app
from tests.web.api.conftest import Program, with_key
from tests.web.conftest import signed_in


def _ask(program: Program, method: str, path: str) -> tuple[int, dict[str, object]]:
    answer = program.request(method, "/v1" + re.sub(r"\{\w+\}", "1", path))
    return answer.status_code, answer.json()


def test_nobody_without_a_key_and_no_role_too_low_may_do_anything(sqlite_store: Store) -> None:
    nobody, reader, submitter = (with_key(sqlite_store, role) for role in (None, Role.READ, Role.SUBMIT))
    for one in operations():
        status, told = _ask(nobody, one.method, one.path)
        assert (status, told["type"]) == (401, "urn:docmill:problem:no-key"), one.name
        if one.name == "listen":
            continue  # It never ends.
        for program, role in ((reader, Role.READ), (submitter, Role.SUBMIT)):
            status, told = _ask(program, one.method, one.path)
            if not role.allows(one.role):
                assert (status, told["needed_role"]) == (403, str(one.role)), one.name
                assert f"the role {one.role}; yours has {role}" in str(told["detail"])
            else:
                assert status not in (401, 403), one.name
    answer = nobody.get("/v1/jobs", headers={"authorization": "Bearer docmill_wrong"})
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_session_reads_and_changes_only_with_its_token(sqlite_store: Store) -> None:
    browser = signed_in(sqlite_store, Role.OPERATE)
    assert browser.get("/v1/jobs").status_code == 200
    body = {"kind": "oracle", "collection": "none"}
    for headers in ({}, {TOKEN_HEADER: ""}, {TOKEN_HEADER: "x"}):
        answer = browser.post("/v1/jobs", json=body, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:docmill:problem:no-form-token")
    found = re.search(r'name="form_token" value="([^"]+)"', browser.see("/"))
    assert found is not None
    assert browser.post("/v1/jobs", json=body, headers={TOKEN_HEADER: found[1]}).status_code == 404


def test_whoever_asks_too_often_is_told_when_to_come_back(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, other = with_key(sqlite_store), with_key(sqlite_store, Role.READ)
    other.app.state.buckets = program.app.state.buckets = Buckets(3)  # type: ignore[attr-defined]
    left = [program.get("/v1/jobs").headers["ratelimit"] for _ in range(3)]
    assert [re.findall(r"r=(\d+)", each) for each in left] == [["2"], ["1"], ["0"]]
    answer = program.get("/v1/jobs")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    assert answer.headers["ratelimit-policy"] == '"requests";q=3;w=60'
    assert "at most 3 requests a minute" in answer.json()["detail"]
    assert other.get("/v1/jobs").status_code == 200, "one key's requests count for another"
    nobody = Program(program.app, base_url="http://localhost")
    codes = [nobody.get("/v1/jobs").status_code for _ in range(4)]
    assert codes == [401, 401, 401, 429], "whoever shows no key may ask for ever"


def test_tokens_come_back_and_buckets_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("docmill.web.api.rate.time.monotonic", lambda: now[0])
    monkeypatch.setattr("docmill.web.api.rate.MOST_BUCKETS", 5)
    buckets = Buckets(60)
    assert [buckets.take("a").allowed for _ in range(61)] == [True] * 60 + [False]
    now[0] += 1.0
    assert [buckets.take("a").allowed for _ in range(2)] == [True, False]
    for name in "bcdefgh":
        buckets.take(name)
    assert len(buckets._held) <= 5
    assert Buckets(0).take("a").headers() == {}


def test_every_answer_is_private_and_says_nothing_of_other_sites(sqlite_store: Store) -> None:
    program = with_key(sqlite_store)
    for path in ("/v1/jobs", "/v1/jobs/9", "/v1/nothing"):
        headers = program.get(path).headers
        assert headers["cache-control"] == "no-store", path
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
    assert (
        Program(create_app(sqlite_store), base_url="http://evil.example").get("/v1/jobs").status_code == 400
    )
