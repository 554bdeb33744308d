"""Nobody sees or does what their key does not allow, and no other site can act for them."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from db import access
from db.access import Role
from db.store import Store
from docmill.web.app import create_app
from tests.db.builders import sql
from tests.web.conftest import LOGIN_TOKEN, Browser, signed_in


def _key(store: Store, role: Role = Role.READ, name: str = "mine") -> str:
    with store.write() as session:
        return access.create_key(session, name, role)


def _pages(browser: Browser) -> list[str]:
    """Every page without parameters."""
    return [
        route.path
        for route in browser.app.routes  # type: ignore[attr-defined]
        if "{" not in route.path
        and "GET" in (getattr(route, "methods", None) or ())
        and route.path != "/login"
        and not route.path.startswith("/v1/")
    ]


def test_without_a_key_every_page_leads_to_the_login_and_back(anonymous: Browser) -> None:
    paths = _pages(anonymous)
    assert "/" in paths
    # Health checks have no key, and learn nothing.
    paths.remove("/health")
    assert anonymous.see("/health") == "ok\n"
    for path in paths:
        answer = anonymous.get(f"{path}?a=1", follow_redirects=False)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/login?next="), path
    answer = anonymous.get(f"/login?token={LOGIN_TOKEN}&next=/jobs", follow_redirects=False)
    assert answer.headers["location"] == "/jobs"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    for path in paths:
        if path != "/events":  # It never ends.
            assert anonymous.get(path).status_code in (200, 400, 404), path


def test_a_key_is_a_role_and_a_revoked_one_is_nothing(store: Store, anonymous: Browser) -> None:
    key = _key(store)
    stored = sql(store, "SELECT name, role, key_hash, beginning FROM access_key")[0]
    assert key.encode() not in bytes(stored.key_hash)
    assert key.startswith(stored.beginning)
    assert len(stored.beginning) < 15
    headers = {"authorization": f"Bearer {key}"}
    assert anonymous.get("/jobs", headers=headers).status_code == 200
    used_at = sql(store, "SELECT used_at FROM access_key")[0].used_at
    assert used_at is not None
    assert anonymous.get("/jobs", headers=headers).status_code == 200
    assert sql(store, "SELECT used_at FROM access_key")[0].used_at == used_at, "each request writes"
    assert anonymous.post("/login", data={"key": key}).status_code == 200
    anonymous.see("/jobs")
    with store.write() as session:
        access.revoke_key(session, "mine")
    for sent in (headers, {}):
        answer = anonymous.get("/jobs", headers=sent, follow_redirects=False)
        assert answer.status_code == 303, "a revoked key, or a session that began with it, still works"


def test_a_session_ends_by_signing_out_and_by_time(store: Store, browser: Browser) -> None:
    cookie = browser.cookies["docmill_session_80"]
    browser.fill_in("/logout", {})
    browser.cookies.set("docmill_session_80", cookie)
    assert browser.get("/", follow_redirects=False).status_code == 303
    browser.cookies.clear()
    browser.see(f"/login?token={LOGIN_TOKEN}")
    with store.write() as session:
        past = "now() - interval '1 second'" if not store.is_sqlite else "'2020-01-01 00:00:00.000000'"
        session.execute(text(f"UPDATE web_session SET expires_at = {past}"))
    assert browser.get("/", follow_redirects=False).status_code == 303


def test_a_form_of_another_site_changes_nothing(browser: Browser) -> None:
    for token in ({"a": "b"}, {"form_token": ""}, {"form_token": "x"}):
        assert browser.post("/logout", data=token).status_code == 403
    browser.see("/")
    answer = browser.post("/logout", content=b"{}", headers={"content-type": "application/json"})
    assert answer.status_code == 415


def test_who_guesses_keys_has_to_wait(store: Store, anonymous: Browser) -> None:
    key = _key(store)
    codes = [anonymous.post("/login", data={"key": f"docmill_{n}"}).status_code for n in range(6)]
    assert codes == [403] * 5 + [429]
    answer = anonymous.post("/login", data={"key": key})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert anonymous.get(f"/login?token={LOGIN_TOKEN}").status_code == 429


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "x",
    ],
)
def test_signing_in_leads_to_no_other_site(anonymous: Browser, elsewhere: str) -> None:
    answer = anonymous.get("/login", params={"token": LOGIN_TOKEN, "next": elsewhere}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_a_planted_session_is_worth_nothing(store: Store, anonymous: Browser) -> None:
    anonymous.cookies.set("docmill_session_80", "planted")
    answer = anonymous.get(f"/login?token={LOGIN_TOKEN}", follow_redirects=False)
    assert "planted" not in answer.headers["set-cookie"]
    assert sql(store, "SELECT count(*) AS n FROM web_session")[0].n == 1


def test_other_hosts_and_large_forms_are_refused(store: Store) -> None:
    with Browser(create_app(store), base_url="http://evil.example") as other:
        assert other.get("/").status_code == 400
    browser = signed_in(store, Role.OPERATE)
    answer = browser.post("/logout", data={"form_token": "x" * 1_100_000})
    assert answer.status_code == 413


def test_every_answer_forbids_scripts_from_elsewhere(browser: Browser) -> None:
    for path in ("/", "/jobs/999", "/nothing", "/static/style.css", "/login"):
        headers = browser.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
