"""What an attacker tries, against every route of the application: see docs/security.md for the list."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.types import Receive, Scope, Send

from db import access
from db.access import Role
from db.store import Store
from docmill.web import server
from docmill.web.app import create_app
from tests.db.builders import sql
from tests.web import rich_store
from tests.web.conftest import LOGIN_TOKEN, Browser, signed_in
from tests.web.crawling import crawl
from tests.web.rich_store import Words
from tests.web.routes import Call, calls

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
ATTACKS = (
    "' OR '1'='1", "\"; DROP TABLE job; --", "1); DELETE FROM job; --", "%", "\\", "\0", "1e400", "-1", "9" * 40, "１",
    "𐀀" * 50, "\r\nset-cookie: a=b", "../../etc/passwd", "{{7*7}}", "%s%n", "x" * 3000, "2026-13-45",
)  # fmt: skip
REFUSALS = (401, 403)


@pytest.fixture
def sqlite_browser(sqlite_store: Store) -> Iterator[Browser]:
    """For what does not depend on the database."""
    with Browser(create_app(sqlite_store, login_token=LOGIN_TOKEN), base_url="http://localhost") as browser:
        browser.see(f"/login?token={LOGIN_TOKEN}")
        yield browser


def _token(browser: Browser) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', browser.see("/"))
    assert found is not None
    return found[1]


def _is_no_such_method(call: Call, status: int) -> bool:
    """Some routes for programs answer every method, to say which ones there are."""
    return call.is_for_programs and status == 405


# --- broken access control ----------------------------------------------------------------------------------------


def test_nobody_sees_or_does_anything_without_a_valid_key(store: Store, anonymous: Browser) -> None:
    every = list(calls(anonymous.app))  # type: ignore[arg-type]
    assert len(every) > 20
    for headers in ({}, {"authorization": "Bearer docmill_wrong"}, {"cookie": "docmill_session_80=planted"}):
        for call in every:
            answer = anonymous.request(call.method, call.path, headers=headers, follow_redirects=False)
            if _is_no_such_method(call, answer.status_code):
                continue
            to_login = answer.status_code == 303 and answer.headers["location"].startswith("/login?next=")
            assert to_login or answer.status_code in REFUSALS, f"{call}: {answer.status_code}"
            if call.is_for_programs:
                assert answer.status_code == 401, call


def test_who_may_only_read_changes_nothing(sqlite_store: Store) -> None:
    rich_store.fill(sqlite_store)
    with sqlite_store.write() as session:
        key = access.create_key(session, "a reader", Role.READ)
    reader = signed_in(sqlite_store, Role.READ)
    token = _token(reader)
    for call in calls(reader.app):  # type: ignore[arg-type]
        if call.method == "GET" or call.path == "/logout":
            continue
        if call.is_for_programs:
            answer = reader.request(
                call.method, call.path, headers={"authorization": f"Bearer {key}"}, json={}
            )
        else:
            form = {"form_token": token, "confirmed": "1", "job": "1", "action": "cancel", "code": "CORRUPT"}
            answer = reader.post(call.path, data=form)
        if not _is_no_such_method(call, answer.status_code):
            assert answer.status_code == 403, f"{call}: {answer.status_code}"


def test_every_change_needs_the_token_of_its_own_session(sqlite_store: Store) -> None:
    rich_store.fill(sqlite_store)
    mine, other = (
        signed_in(sqlite_store, Role.OPERATE),
        Browser(create_app(sqlite_store), base_url="http://localhost"),
    )
    with sqlite_store.write() as session:
        key = access.create_key(session, "another", Role.OPERATE)
    assert other.post("/login", data={"key": key}).status_code == 200
    before = sql(sqlite_store, "SELECT count(*) AS n FROM job")[0].n
    for call in calls(mine.app):  # type: ignore[arg-type]
        if call.method == "GET":
            continue
        for token in ({}, {"form_token": ""}, {"form_token": _token(other)}):
            form = {"confirmed": "1", "job": "17", "action": "retry", "code": "CORRUPT"} | token
            answer = mine.request(call.method, call.path, data=form)
            refused = answer.status_code in (401, 403, 415)
            assert refused or _is_no_such_method(call, answer.status_code), f"{call}: {answer.status_code}"
        answer = mine.request(call.method, call.path, json={"confirmed": "1"})
        refused = answer.status_code in (401, 403, 415)
        assert refused or _is_no_such_method(call, answer.status_code), f"{call}: {answer.status_code}"
    token = {"form_token": _token(mine)}
    answer = mine.post("/jobs/act", data=token, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert sql(sqlite_store, "SELECT count(*) AS n FROM job")[0].n == before


# --- injection ----------------------------------------------------------------------------------------------------


def test_nothing_that_people_or_documents_say_is_markup(sqlite_store: Store, sqlite_browser: Browser) -> None:
    words = Words(
        key=EVIL, body=EVIL, label=EVIL, detail=EVIL, collection=EVIL, model="m", schedule=EVIL, note=EVIL, worker=EVIL,
        submitter=EVIL,
    )  # fmt: skip
    rich_store.fill(sqlite_store, words)
    found = crawl(sqlite_browser)
    assert len(found) > 20
    for address, (text, page) in found.items():
        assert "<script>alert" not in text, address
        assert "<img" not in text, address
        assert "49" not in re.findall(r"onerror=alert\(1\)&gt;(\d+)", text), address
        assert set(page.scripts) <= {"/static/live.js"}, address
        assert page.foreign == [], address


@pytest.mark.parametrize("share", [3, pytest.param(1, marks=pytest.mark.long)])
def test_no_filter_is_a_way_into_the_database(store: Store, browser: Browser, share: int) -> None:
    """With each field a share of the attacks, in turn: every one is tried, and all with all in the long test."""
    rich_store.fill(store)
    n_jobs = sql(store, "SELECT count(*) AS n FROM job")[0].n
    names: dict[str, set[str]] = {}
    for address, (_, page) in crawl(browser).items():
        path, _, query = address.partition("?")
        names.setdefault(path, set()).update(name.partition("=")[0] for name in query.split("&") if name)
        for to, fields in page.fields.items():
            names.setdefault(to, set()).update(fields)
    asked = 0
    for path, found in names.items():
        for name in sorted(found):
            usual = {
                "collection": "inbox",
                "key": "2026/기사0",
                "model": "topics",
                "name": "nightly",
                "version": "2",
            }
            for attack in ATTACKS[asked % share :: share]:
                answer = browser.get(f"{path}?{urlencode(usual | {name: attack})}")
                assert answer.status_code in (200, 400, 404, 409), (
                    f"{path} {name}={attack!r}: {answer.status_code}"
                )
                assert "set-cookie" not in answer.headers or path == "/login"
                asked += 1
    for call in calls(browser.app):  # type: ignore[arg-type]
        if call.method == "GET" and "/1" in call.path and not call.is_for_programs:
            assert browser.get(call.path.replace("/1", f"/{'9' * 40}")).status_code == 404, call
    assert asked > 200 // share
    assert sql(store, "SELECT count(*) AS n FROM job")[0].n == n_jobs


@pytest.mark.parametrize("share", [3, pytest.param(1, marks=pytest.mark.long)])
def test_no_form_is_a_way_into_the_database(store: Store, browser: Browser, share: int) -> None:
    rich_store.fill(store)
    n_documents = sql(store, "SELECT count(*) AS n FROM document")[0].n
    token = _token(browser)
    for call in calls(browser.app):  # type: ignore[arg-type]
        if call.method != "POST" or call.is_for_programs or call.path == "/logout":
            continue
        for attack in ATTACKS[len(call.path) % share :: share]:
            fields = (
                "action",
                "job",
                "code",
                "model",
                "version",
                "name",
                "level",
                "key",
                "label",
                "kind",
                "words",
            )
            form = dict.fromkeys(fields, attack) | {"form_token": token, "confirmed": "1"}
            answer = browser.post(
                f"{call.path}?{urlencode({'collection': attack, 'key': attack})}", data=form
            )
            assert answer.status_code in (200, 400, 404, 409), f"{call} {attack!r}: {answer.status_code}"
    assert sql(store, "SELECT count(*) AS n FROM document")[0].n == n_documents


def test_no_header_is_made_of_what_somebody_sent(sqlite_store: Store, sqlite_browser: Browser) -> None:
    key = "a\r\nset-cookie: planted=1"
    answer = sqlite_browser.get(
        "/login", params={"token": LOGIN_TOKEN, "next": f"/{key}"}, follow_redirects=False
    )
    assert answer.headers["location"] == "/"
    assert "planted" not in str(answer.headers)
    rich_store.fill(sqlite_store, Words(collection="inbox", key=key))
    address = f"/document/label?{urlencode({'collection': 'inbox', 'key': f'{key}0'})}"
    answer = sqlite_browser.post(
        address, data={"form_token": _token(sqlite_browser), "label": "right"}, follow_redirects=False
    )
    assert answer.status_code == 303
    assert "planted" not in answer.headers.get("set-cookie", "")
    assert "\n" not in answer.headers["location"]


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/..%5capp.py", "/static//etc/passwd",
     "/static/style.css%00.py", "/static/....//app.py", "/static/%252e%252e/app.py"],
)  # fmt: skip
def test_no_file_is_served_but_those_of_the_pages(browser: Browser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code in (404, 405), path
    assert "def " not in answer.text
    assert "root:" not in answer.text


# --- what browsers are told ----------------------------------------------------------------------------------------


def test_no_page_is_framed_sniffed_or_kept(sqlite_store: Store, sqlite_browser: Browser) -> None:
    rich_store.fill(sqlite_store)
    addresses = [
        *crawl(sqlite_browser),
        "/nothing",
        "/jobs/999999",
        "/document?collection=x",
        "/login",
        "/static/style.css",
    ]
    for address in addresses:
        headers = sqlite_browser.get(address).headers
        policy = headers["content-security-policy"]
        for needed in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action"):
            assert needed in policy, (address, needed)
        assert "script-src 'unsafe" not in policy, address
        assert headers["x-content-type-options"] == "nosniff", address
        if not address.startswith("/static/"):
            assert headers["cache-control"] == "no-store", address
        assert "server" not in headers, address


# --- sessions, proxies ---------------------------------------------------------------------------------------------


def test_signing_in_makes_a_new_session_and_ends_the_one_before(sqlite_store: Store) -> None:
    browser = signed_in(sqlite_store, Role.READ)
    before, token = browser.cookies["docmill_session_80"], _token(browser)
    with sqlite_store.write() as session:
        key = access.create_key(session, "second", Role.OPERATE)
    assert browser.post("/login", data={"key": key}).status_code == 200
    assert browser.cookies["docmill_session_80"] != before
    assert _token(browser) != token
    thief = Browser(
        create_app(sqlite_store), base_url="http://localhost", cookies={"docmill_session_80": before}
    )
    assert thief.get("/", follow_redirects=False).status_code == 303
    assert browser.post("/login", data={"key": "wrong"}).status_code == 403
    browser.see("/")


def test_two_servers_on_one_machine_do_not_sign_each_others_people_out(
    sqlite_store: Store, tmp_path: Path, sqlite_template: Path
) -> None:
    """Browsers send the cookies of a host to all of its ports."""
    other = tmp_path / "other.db"
    shutil.copy(sqlite_template, other)
    stores = {8001: sqlite_store, 8002: Store(f"sqlite:///{other}")}
    apps = {port: create_app(store, login_token=LOGIN_TOKEN) for port, store in stores.items()}

    async def by_port(scope: Scope, receive: Receive, send: Send) -> None:
        port = int(dict(scope["headers"])[b"host"].partition(b":")[2])
        await apps[port](scope, receive, send)

    person = Browser(by_port, base_url="http://localhost:8001")
    for port in apps:
        assert person.get(f"http://localhost:{port}/login?token={LOGIN_TOKEN}").status_code == 200
    for port in apps:
        assert person.get(f"http://localhost:{port}/jobs", follow_redirects=False).status_code == 200
    assert len(set(person.cookies.keys())) == 2
    token = _token(person)
    left = person.post("http://localhost:8001/logout", data={"form_token": token}, follow_redirects=False)
    assert left.status_code == 303
    statuses = [
        person.get(f"http://localhost:{port}/jobs", follow_redirects=False).status_code for port in apps
    ]
    assert statuses == [303, 200]
    stores[8002].close()


def _behind(store: Store, peer: str, proxies: tuple[str, ...]) -> Browser:
    """The application as it is served, with a client at this address."""
    configured = server.config(create_app(store, login_token=LOGIN_TOKEN), proxies)
    configured.load()
    return Browser(configured.loaded_app, base_url="http://localhost", client=(peer, 50_000))


@pytest.mark.parametrize(
    ("peer", "proxies", "believed"),
    [("10.0.0.9", ("10.0.0.0/8",), True), ("10.0.0.9", ("10.0.0.9",), True), ("10.0.0.9", (), False),
     ("127.0.0.1", (), False), ("192.0.2.1", ("10.0.0.0/8",), False)],
)  # fmt: skip
def test_only_a_trusted_proxy_says_that_a_client_speaks_tls(
    store: Store, peer: str, proxies: tuple[str, ...], believed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    behind = _behind(store, peer, proxies)
    headers = {"x-forwarded-proto": "https", "x-forwarded-host": "evil.example"}
    answer = behind.get(f"/login?token={LOGIN_TOKEN}", headers=headers, follow_redirects=False)
    assert ("Secure" in answer.headers["set-cookie"]) == believed
    assert "evil" not in str(answer.headers)


def test_who_guesses_keys_waits_whatever_it_says_where_it_is(store: Store) -> None:
    liar = _behind(store, "192.0.2.1", ("10.0.0.0/8",))
    codes = [
        liar.post("/login", data={"key": "wrong"}, headers={"x-forwarded-for": f"198.51.100.{n}"}).status_code
        for n in range(6)
    ]
    assert codes == [403] * 5 + [429]
    proxied = _behind(store, "10.0.0.9", ("10.0.0.0/8",))

    def guess(client: str) -> int:
        # What a client sends itself stands before what the proxy adds.
        headers = {"x-forwarded-for": f"203.0.113.7, {client}"}
        return int(proxied.post("/login", data={"key": "wrong"}, headers=headers).status_code)

    assert [guess("198.51.100.1") for _ in range(6)] == [403] * 5 + [429]
    assert guess("198.51.100.2") == 403
