"""Notifications reach real receivers: signed, once, tried again, and without a secret in any place that keeps it."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import json
import shlex
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from db import notifications
from db.notifications import Message, Rule
from db.sql import now
from db.states import Event
from db.store import Store
from db.tables import Notification
from scheduler.notifying import command, deadline, delivering, destinations
from tests.db.builders import sql
from tests.scheduler.receivers import Mailbox, WebServer, mail_server, web_server

OWNER = "schedule 야간-filings"
TITLE = "야간-filings is not done by 2026-11-26 07:00 (Asia/Seoul)"
MESSAGE = Message(
    TITLE, "job 12 (요약) is running.\nTo see its runs: docmill schedule history 야간-filings", {"run": 3}
)
KEY = "s3cr3t-signing-key"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    with web_server() as found:
        monkeypatch.setenv("HOOK", f"{found.url}/services/T0KEN?key=hidden")
        monkeypatch.setenv("HOOK_SECRET", KEY)
        yield found


def tell(store: Store, *to: str, event: Event = Event.LATE, key: str = "late run 3") -> int:
    with store.write() as session:
        notifications.configure(session, OWNER, [Rule(one, tuple(Event)) for one in to])
        return notifications.notify(session, OWNER, event, key, MESSAGE)


def states(store: Store) -> list[tuple[str, int, str | None]]:
    return [tuple(row) for row in sql(store, "SELECT state, n_attempts, fault FROM notification ORDER BY id")]


def let_pauses_pass(store: Store) -> None:
    with store.write() as session:
        session.execute(update(Notification).values(not_before=now(-1)))


# --- the outbox --------------------------------------------------------------------------------------------------


def test_what_is_told_is_told_once_to_each_destination(store: Store, web: WebServer) -> None:
    assert tell(store, "webhook:env:HOOK", "command:env:NONE") == 2
    assert tell(store, "webhook:env:HOOK", "command:env:NONE") == 0
    assert tell(store, "webhook:env:HOOK", key="late run 4") == 1
    with store.write() as session:
        notifications.configure(session, OWNER, [Rule("webhook:env:HOOK", (Event.FAILED,))])
        assert notifications.notify(session, OWNER, Event.LATE, "late run 5", MESSAGE) == 0
    delivering.deliver_some(store)
    assert [json.loads(one.body)["event"] for one in web.received] == ["late", "late"]


def test_what_is_rolled_back_is_not_told(store: Store) -> None:
    with store.read() as session:
        # A session for reading rolls back.
        assert notifications.send(session, OWNER, Event.LATE, "k", MESSAGE, ["webhook:env:HOOK"]) == 1
    assert states(store) == []


def test_many_schedulers_deliver_each_message_once(store: Store, web: WebServer) -> None:
    for number in range(8):
        tell(store, "webhook:env:HOOK", key=f"late run {number}")
    barrier = threading.Barrier(4)

    def one() -> None:
        barrier.wait()
        while delivering.deliver_some(store):
            pass

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(web.received) == 8
    assert len({one.headers["webhook-id"] for one in web.received}) == 8
    assert {state for state, _, _ in states(store)} == {"sent"}


def test_a_scheduler_that_dies_after_delivery_repeats_the_same_id(store: Store, web: WebServer) -> None:
    tell(store, "webhook:env:HOOK")
    with store.write() as session:
        dead = notifications.claim(session, 60)
    assert dead is not None
    delivering.DELIVER[destinations.Channel.WEBHOOK](destinations.parse(dead.destination), dead)
    assert not delivering.deliver_some(store)
    with store.write() as session:
        session.execute(update(Notification).values(lease_until=now(-1)))
    assert delivering.deliver_some(store)
    first, second = web.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == second.headers["Idempotency-Key"]
    assert first.body == second.body
    with store.write() as session:
        assert not notifications.sent(session, dead)


def test_an_attempt_whose_lease_ran_out_marks_nothing_once_another_has_taken_over(store: Store) -> None:
    tell(store, "webhook:env:HOOK")
    with store.write() as session:
        slow = notifications.claim(session, -1)
        other = notifications.claim(session, 60)
        assert slow is not None
        assert other is not None
        notifications.failed(session, slow, "too late")
        assert not notifications.sent(session, slow)
    assert states(store) == [("pending", 2, None)]
    with store.write() as session:
        assert notifications.sent(session, other)


def test_a_failed_delivery_is_tried_again_with_pauses_and_given_up_after_a_day(
    store: Store, web: WebServer
) -> None:
    web.answers = [(503, {}), (500, {})]
    tell(store, "webhook:env:HOOK")
    delivering.deliver_some(store)
    assert states(store) == [("pending", 1, "the server answered 503 Service Unavailable")]
    assert not delivering.deliver_some(store)
    let_pauses_pass(store)
    with store.write() as session:
        session.execute(update(Notification).values(give_up_at=now(-1)))
    delivering.deliver_some(store)
    assert states(store) == [("dead", 2, "the server answered 500 Internal Server Error")]
    let_pauses_pass(store)
    assert not delivering.deliver_some(store)
    with store.read() as session:
        (stuck,) = notifications.stuck(session, 600)
    assert (stuck.n_pending, stuck.n_dead) == (0, 1)
    with store.write() as session:
        assert notifications.retry(session) == 1
    delivering.deliver_some(store)
    assert [state for state, _, _ in states(store)] == ["sent"]
    assert len({one.headers["webhook-id"] for one in web.received}) == 1


def test_pauses_double_and_stay_within_a_day() -> None:
    pauses = [notifications.pause_seconds(n) for n in range(1, 30)]
    assert pauses[:3] == [10, 20, 40]
    assert max(pauses) == notifications.LAST_PAUSE_SECONDS
    n_in_a_day = next(n for n in range(30) if sum(pauses[:n]) > notifications.GIVE_UP_SECONDS)
    assert n_in_a_day < 25


def test_a_destination_that_fails_does_not_keep_the_others_back(
    store: Store, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOWN", "http://127.0.0.1:9/")
    for number in range(3):
        tell(store, "webhook:env:DOWN", "webhook:env:HOOK", key=f"late run {number}")
    delivering.deliver_some(store)
    assert len(web.received) == 3
    rows = sql(store, "SELECT sum(n_attempts) FROM notification WHERE destination = 'webhook:env:DOWN'")
    assert [int(n) for (n,) in rows] == [1]


# --- the webhook -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [KEY, "whsec_" + base64.b64encode(b"\x00\xff key").decode()])
def test_a_webhook_is_signed_and_says_it_in_unicode(
    sqlite_store: Store, web: WebServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("HOOK_SECRET", key)
    tell(sqlite_store, "webhook:env:HOOK")
    delivering.deliver_some(sqlite_store)
    (got,) = web.received
    assert got.path == "/services/T0KEN?key=hidden"
    told = json.loads(got.body)
    assert told["title"] == TITLE
    assert told["details"] == {"run": 3}
    assert TITLE.encode() in got.body
    sent_at = got.headers["webhook-timestamp"]
    assert abs(int(sent_at) - time.time()) < 60
    signed = f"{got.headers['webhook-id']}.{sent_at}.".encode() + got.body
    raw = base64.b64decode(key[6:]) if key.startswith("whsec_") else key.encode()
    digest = base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{digest}"


def test_a_redirect_is_not_followed(sqlite_store: Store, web: WebServer) -> None:
    with web_server() as elsewhere:
        web.answers = [(307, {"Location": f"{elsewhere.url}/T0KEN"})]
        tell(sqlite_store, "webhook:env:HOOK")
        delivering.deliver_some(sqlite_store)
        assert elsewhere.received == []
    ((state, _, fault),) = states(sqlite_store)
    assert state == "pending"
    assert fault == "the server redirects to 127.0.0.1, which is not followed: set HOOK to the final URL"


def test_a_server_that_does_not_answer_is_left_in_time(
    sqlite_store: Store, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scheduler.notifying import webhook

    monkeypatch.setattr(webhook, "DELIVERY_SECONDS", 0.3)
    web.may_answer.clear()
    tell(sqlite_store, "webhook:env:HOOK")
    delivering.deliver_some(sqlite_store)
    ((_, _, fault),) = states(sqlite_store)
    assert fault == "no answer within 0 s"


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "hunter2", "http://me:hunter2@host/", "http://host:bad/hunter2"]
)
def test_a_url_that_is_none_is_not_repeated(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOOK", url)
    tell(sqlite_store, "webhook:env:HOOK")
    delivering.deliver_some(sqlite_store)
    ((_, _, fault),) = states(sqlite_store)
    assert fault is not None
    assert "HOOK is no URL" in fault
    assert "hunter2" not in fault + caplog.text


def test_a_variable_that_is_not_set_is_named(sqlite_store: Store) -> None:
    tell(sqlite_store, "webhook:env:NOT_THERE")
    delivering.deliver_some(sqlite_store)
    ((_, _, fault),) = states(sqlite_store)
    assert fault == "the environment variable NOT_THERE is not set where the scheduler runs"


# --- the command -------------------------------------------------------------------------------------------------


def _command(tmp_path: Path, code: str) -> str:
    script = tmp_path / "told it.py"
    script.write_text(code, encoding="utf-8")
    return shlex.join([sys.executable, str(script), "$HOME; echo", "한글"])


def test_a_command_gets_its_words_and_the_message_without_a_shell(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.json"
    code = (
        f"import json, sys\njson.dump([sys.argv[1:], json.load(sys.stdin)], open({str(out)!r}, 'w'))\n"
        "print('x' * 99999)"
    )
    monkeypatch.setenv("TELL", _command(tmp_path, code))
    tell(sqlite_store, "command:env:TELL")
    delivering.deliver_some(sqlite_store)
    assert states(sqlite_store) == [("sent", 1, None)]
    words, told = json.loads(out.read_text())
    assert words == ["$HOME; echo", "한글"]
    assert told["title"] == TITLE


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("raise SystemExit(3)", "ended with exit status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended with signal 9"),
        ("import subprocess; subprocess.run(['sleep', '60'])", "did not end within 1 s"),
    ],
)
def test_a_command_that_fails_or_hangs_is_a_failed_delivery(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, fault: str
) -> None:
    monkeypatch.setattr(command, "DELIVERY_SECONDS", 1.0 if "sleep" in code else 30.0)
    monkeypatch.setenv("TELL", _command(tmp_path, code))
    tell(sqlite_store, "command:env:TELL")
    delivering.deliver_some(sqlite_store)
    ((state, _, found),) = states(sqlite_store)
    assert (state, found) == ("pending", f"the command of TELL {fault}")


@pytest.mark.parametrize(
    ("value", "fault"),
    [("/no/such/program x", "cannot be started: No such file"), ("a 'b", "cannot be read")],
)
def test_a_command_that_is_none_is_told(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, value: str, fault: str
) -> None:
    monkeypatch.setenv("TELL", value)
    tell(sqlite_store, "command:env:TELL")
    delivering.deliver_some(sqlite_store)
    ((_, _, found),) = states(sqlite_store)
    assert fault in str(found)


# --- mail --------------------------------------------------------------------------------------------------------

MAIL = "smtp:env:MAIL:kim@example.com,lee@example.com"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """For localhost, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, found = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost"
    subprocess.run([*command.split(), "-keyout", key, "-out", found], check=True, capture_output=True)
    return key, found


@pytest.mark.parametrize("how", ["plain", "starttls", "smtps"])
def test_a_mail_arrives(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path], how: str
) -> None:
    key, found = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(found, key)
    mailbox = Mailbox()
    tls = None if how == "plain" else context
    with mail_server(mailbox, tls, is_smtps=how == "smtps") as port:
        url = {
            "plain": f"smtp://127.0.0.1:{port}?tls=no&from=docmill@example.com",
            "starttls": f"smtp://me:p%40ss%2Fword@localhost:{port}?from=docmill@example.com",
            "smtps": f"smtps://me:p%40ss%2Fword@localhost:{port}?from=docmill@example.com",
        }[how]
        monkeypatch.setenv("MAIL", url)
        if how != "plain":
            # Not before the certificate is trusted.
            tell(sqlite_store, MAIL, key="unsafe")
            delivering.deliver_some(sqlite_store)
            ((_, _, fault),) = states(sqlite_store)
            assert "certificate verify failed" in str(fault)
            assert "p@ss" not in str(fault)
            monkeypatch.setenv("SSL_CERT_FILE", str(found))
            sql(sqlite_store, "DELETE FROM notification RETURNING id")
        tell(sqlite_store, MAIL)
        delivering.deliver_some(sqlite_store)
        assert states(sqlite_store) == [("sent", 1, None)]
    ((sender, recipients, content),) = mailbox.mails
    assert (sender, recipients) == ("docmill@example.com", ["kim@example.com", "lee@example.com"])
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert mail["Subject"] == f"[docmill] {TITLE}"
    assert "요약" in mail.get_content()
    ((uid,),) = sql(sqlite_store, "SELECT uid FROM notification")
    assert mail["Message-ID"] == f"<{uid}@example.com>"


def test_a_refused_recipient_and_a_server_without_tls_are_failed_deliveries(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = Mailbox()
    mailbox.refused = {"lee@example.com"}
    with mail_server(mailbox, None) as port:
        monkeypatch.setenv("MAIL", f"smtp://127.0.0.1:{port}?tls=no&from=a@b")
        tell(sqlite_store, MAIL)
        delivering.deliver_some(sqlite_store)
        monkeypatch.setenv("PLAIN", f"smtp://127.0.0.1:{port}?from=a@b")
        tell(sqlite_store, "smtp:env:PLAIN:kim@example.com")
        delivering.deliver_some(sqlite_store)
    (_, _, refused), (_, _, plain) = states(sqlite_store)
    assert "refuses lee@example.com" in str(refused)
    assert "a server without TLS needs ?tls=no" in str(plain)


# --- destinations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["https://host/hunter2", "webhook:https://host/hunter2", "webhook:env:a-b", "smtp:env:MAIL", "command:rm -rf /",
     "command:env:X:a@b", "smtp:env:MAIL:nobody", "smtp:env:MAIL:a@b\nBcc: c@d", ""],
)  # fmt: skip
def test_a_destination_that_is_none_is_refused_and_no_secret_is_repeated(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        destinations.parse(text)
    assert "hunter2" not in str(refused.value)


def test_events_and_destinations_are_read_as_people_write_them() -> None:
    assert destinations.events("late, Failed,model  refused,late") == (
        Event.LATE,
        Event.FAILED,
        Event.MODEL_REFUSED,
    )
    for text in ("webhook:env:HOOK", MAIL, "command:env:TELL"):
        assert str(destinations.parse(f" {text} ")) == text
    with pytest.raises(ValueError, match="needs a destination"):
        destinations.rules("late", [])
    with pytest.raises(ValueError, match="no event 'lat'"):
        destinations.rules("lat", ["webhook:env:HOOK"])


def test_no_limit_is_longer_than_a_lease() -> None:
    assert delivering.LEASE_SECONDS > 2 * deadline.DELIVERY_SECONDS
