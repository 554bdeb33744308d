"""doctor says what is stuck, why, and what mends it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from db import chunks, notifications, registry, run_messages, schedules
from db.sql import clock, now
from db.states import Event
from db.tables import Notification, Worker
from scheduler import firing
from tests.commands.conftest import Shell
from tests.db.builders import (
    claim,
    let_backoffs_pass,
    let_leases_expire,
    reap,
    sql,
    the_chunk,
    upgraded_to,
)
from tests.servers import RedisServer
from workers.processes import heartbeat

SUBMIT = ("oracle", "--collection", "inbox")


def _long_ago(shell: Shell) -> None:
    sql(shell.store, "UPDATE job SET created_at = '2020-01-01 00:00:00.000000' RETURNING 1")


def _finding(said: Any, what: str) -> Any:
    [found] = [finding for finding in said.json if finding["what"] == what]
    return found


def test_nothing_running_is_the_embedded_redis_missing(shell: Shell) -> None:
    shell.texts("a")
    shell.job(*SUBMIT)
    _long_ago(shell)
    said = shell("doctor", "--json", status=1)
    assert _finding(said, "store")["ok"]
    assert _finding(said, "redis")["fix"] == "docmill up"
    assert "Redis is unreachable" in _finding(said, "oracle")["detail"]
    assert "BAD  redis: unix://" in shell("doctor", status=1).out


def test_a_redis_of_ones_own_that_is_down_is_named_without_its_password(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.settings import settings

    monkeypatch.setenv("DOCMILL_REDIS_URL", "redis://me:hunter2@127.0.0.1:1/0")
    settings.cache_clear()
    said = shell("doctor", "--json", status=1)
    assert "redis://127.0.0.1:1/0" in _finding(said, "redis")["detail"]
    assert "DOCMILL_REDIS_URL" in _finding(said, "redis")["fix"]
    assert "hunter2" not in said.out


@pytest.mark.stack
def test_without_a_worker_it_says_which_command_starts_one(
    shell: Shell, redis_server: RedisServer, redis_url: str
) -> None:
    from workers.settings import settings

    settings.cache_clear()
    shell.texts("a")
    shell.job(*SUBMIT)
    _long_ago(shell)
    said = shell("doctor", "--json", status=1)
    assert _finding(said, "workers")["fix"] == "docmill worker"
    assert _finding(said, "oracle")["detail"] == "1 chunk waits, the first of job 1: there is no worker"


def test_leases_that_nobody_frees_mean_that_no_scheduler_runs(shell: Shell) -> None:
    shell.texts("a")
    claim(shell.store, the_chunk(shell.store, shell.job(*SUBMIT)).id)
    sql(shell.store, "UPDATE chunk SET lease_until = '2020-01-01 00:00:00.000000' RETURNING 1")
    found = _finding(shell("doctor", "--json", status=1), "scheduler")
    assert found["detail"] == "1 leases expired and were not requeued: no scheduler is running"
    assert found["fix"] == "docmill up"


def _registered(shell: Shell, role: str, name: str, instance: str, **values: Any) -> None:
    """A row of the registry; its times may be told as seconds ago."""
    ago = {column: values.pop(column) for column in ("started_at", "last_seen_at") if column in values}
    member = dataclasses.replace(heartbeat.member(role, name, instance), **values)
    with shell.store.write() as session:
        registry.beat(session, [member])
        for column, seconds in ago.items():
            change = {column: now(-seconds)}
            session.execute(update(Worker).where(Worker.instance == instance).values(change))


def test_a_scheduler_that_is_cancelling_is_not_said_to_be_missing(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a")
    job_id = shell.job(*SUBMIT)
    claim(shell.store, the_chunk(shell.store, job_id).id)
    sql(shell.store, "UPDATE chunk SET lease_until = '2020-01-01 00:00:00.000000+00:00' RETURNING 1")
    _registered(shell, "scheduler", "scheduler@here", "s")
    said = shell("doctor", "--json", status=1)
    assert _finding(said, "schedulers")["ok"]
    found = _finding(said, "scheduler")
    assert found["detail"] == (
        "1 leases expired and were not requeued: scheduler@here runs and is behind, or cannot do it"
    )
    sql(shell.store, "UPDATE job SET state = 'cancelling' RETURNING 1")
    found = _finding(shell("doctor", "--json", status=1), "scheduler")
    assert f"scheduler@here runs and is cancelling job {job_id}" in found["detail"]
    assert "no scheduler is running" not in found["detail"]
    sql(shell.store, "UPDATE worker SET last_seen_at = '2020-01-01 00:00:00.000000+00:00' RETURNING 1")
    assert "no scheduler is running" in _finding(shell("doctor", "--json", status=1), "scheduler")["detail"]


def test_a_lost_host_is_named_with_what_it_held_and_since_when(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a")
    job_id = shell.job(*SUBMIT)
    _registered(shell, "worker", "cpu-0@gone", "x", host="gone", pid=17, last_seen_at=300, started_at=900)
    claim(shell.store, the_chunk(shell.store, job_id).id, "x.1", name="cpu-0@gone")
    for freed in (False, True):
        if freed:
            let_leases_expire(shell.store)
            reap(shell.store)
            claim(shell.store, the_chunk(shell.store, job_id).id, "y.1", name="cpu-0@other")
        found = _finding(shell("doctor", "--json", status=1), "worker cpu-0@gone")
        assert not found["ok"]
        assert "lost: pid 17 on gone was last seen at 2" in found["detail"]
        assert found["detail"].endswith(f"UTC, 5 minutes ago; it held chunk 1 of job {job_id}")
        assert "forgotten after 24 hours" in found["fix"]


def test_a_lost_worker_that_was_started_again_is_no_finding(shell_on_both: Shell) -> None:
    shell = shell_on_both
    _registered(shell, "worker", "cpu-0@h", "old", last_seen_at=300, started_at=900)
    _registered(shell, "worker", "cpu-0@h", "new", started_at=200)
    assert "worker cpu-0@h" not in {finding["what"] for finding in shell("doctor", "--json", status=1).json}


def test_two_workers_of_one_name_are_said_and_a_quick_restart_is_none(shell_on_both: Shell) -> None:
    shell = shell_on_both
    _registered(shell, "worker", "cpu-0@h", "a", pid=7, last_seen_at=5, started_at=900)
    _registered(shell, "worker", "cpu-0@h", "b", pid=8, started_at=3)
    names = {finding["what"] for finding in shell("doctor", "--json", status=1).json}
    assert "worker cpu-0@h" not in names, "a was not seen since b started: b replaces it"
    _registered(shell, "worker", "cpu-0@h", "a")
    found = _finding(shell("doctor", "--json", status=1), "worker cpu-0@h")
    assert not found["ok"]
    assert "2 workers have this name at once (pid 7 on" in found["detail"]
    assert "hostname" in found["fix"]


def test_a_worker_of_an_older_docmill_is_named(shell_on_both: Shell) -> None:
    shell = shell_on_both
    _registered(shell, "worker", "cpu-0@h", "a", schema_revision="0001", docmill_version="0.0.9")
    found = _finding(shell("doctor", "--json", status=1), "worker cpu-0@h")
    assert "is docmill 0.0.9, which knows schemas up to 0001" in found["detail"]


def test_an_upgrade_by_older_code_ends_in_a_sentence(shell_on_both: Shell) -> None:
    shell = shell_on_both
    with upgraded_to(shell.store, "9999"):
        found = shell("db", "upgrade", status=1)
        assert "is at schema 9999" in found.err
        assert len(found.err.splitlines()) == 1
        assert (
            "a newer docmill has upgraded it"
            in _finding(shell("doctor", "--json", status=1), "store")["detail"]
        )


def test_what_was_lost_long_ago_is_forgotten_some_rows_at_a_time(shell_on_both: Shell) -> None:
    shell = shell_on_both
    for n in range(5):
        _registered(shell, "worker", f"cpu-{n}@h", f"i{n}", last_seen_at=2 * registry.FORGET_SECONDS)
    _registered(shell, "worker", "cpu-9@h", "alive")
    seen = []
    for _ in range(4):
        with shell.store.write() as session:
            seen.append(registry.prune(session, limit=2))
    assert seen == [2, 2, 1, 0]
    assert sql(shell.store, "SELECT instance FROM worker") == [("alive",)]


def test_a_chunk_that_keeps_failing_is_shown_with_its_reason(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a")
    job_id = shell.job(*SUBMIT)
    for _ in range(2):
        let_backoffs_pass(shell.store)
        held = claim(shell.store, the_chunk(shell.store, job_id).id)
        assert held is not None
        with shell.store.write() as session:
            chunks.put_back(session, held, "ModelFileError: weights.safetensors is missing")
    found = _finding(shell("doctor", "--json", status=1), f"job {job_id}")
    assert "chunk 1 failed 2 times" in found["detail"]
    assert "weights.safetensors is missing" in found["detail"]
    assert f"docmill cancel {job_id}" in found["fix"]


def test_a_paused_job_and_who_waits_for_it_are_told(shell: Shell) -> None:
    shell.texts("a")
    job_id = shell.job(*SUBMIT)
    waiting = shell.job(*SUBMIT, "--after", job_id)
    shell("pause", job_id)
    said = shell("doctor", "--json", status=1)
    for number in (job_id, waiting):
        assert _finding(said, f"job {number}")["fix"] == f"docmill resume {job_id}"


def test_quarantine_and_a_schedule_that_cannot_submit_are_told(shell: Shell) -> None:
    shell.texts("!crash")
    shell.poison(*SUBMIT)
    shell("schedule", "add", "nightly", "--cron", "0 2 * * *", "--job", "oracle --collection inbox")
    with shell.store.write() as session:
        row = schedules.by_name(session, "nightly")
        row.next_at, row.requests = clock(session), [row.requests[0] | {"collection": "gone"}]
        notifications.send(
            session, "x", Event.FAILED, "k", run_messages.test_message("x"), ["webhook:env:HOOK"]
        )
        session.execute(update(Notification).values(created_at=now(-3600)))
    firing.turn(shell.store)
    said = shell("doctor", "--json", status=1)
    assert _finding(said, "quarantine")["fix"] == "docmill quarantine list"
    assert "there is no collection 'gone'" in _finding(said, "schedule nightly")["detail"]
    stuck = _finding(said, "notifications to webhook:env:HOOK")
    assert "1 waiting since" in stuck["detail"]
    assert "docmill notifications retry" in stuck["fix"]


def test_a_file_that_a_model_lacks_is_named(shell: Shell) -> None:
    folder = Path(shell.process.settings.models_path) / "m" / "1"
    folder.mkdir(parents=True)
    shell.texts("a", labels=["x"])
    job_id = shell("train", "classify", "--collection", "inbox", "--json").json["job"]
    columns = "id, name, kind, created_at"
    sql(
        shell.store,
        f"INSERT INTO model ({columns}) VALUES (1, 'm', 'train-classify', '2026-01-01') RETURNING 1",
    )
    columns = "model_id, version, job_id, path, manifest_sha256, parameters, created_at"
    values = "1, 1, :j, 'm/1', '', '{}', '2026-01-01'"
    sql(shell.store, f"INSERT INTO model_version ({columns}) VALUES ({values}) RETURNING 1", j=job_id)
    (folder / "manifest.json").write_text(json.dumps({"config.json": "", "weights.safetensors": ""}))
    (folder / "config.json").touch()
    found = _finding(shell("doctor", "--json", status=1), "model m@1")
    assert found["detail"] == f"{folder / 'weights.safetensors'} is missing"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:hunter2@127.0.0.1:1/x", "Connection refused"),
        ("mysql://me:hunter2@127.0.0.1/x", "SQLite or PostgreSQL, not in mysql"),
        ("hunter2", "DOCMILL_DATABASE_URL is not a database URL"),
    ],
)
def test_a_store_that_cannot_be_is_told_by_every_command_without_the_password(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    from scheduler.store import store
    from workers.settings import settings

    monkeypatch.setenv("DOCMILL_DATABASE_URL", url)
    settings.cache_clear()
    store.cache_clear()
    said = shell("doctor", "--json", status=1)
    assert words in _finding(said, "store")["detail"]
    for command in (
        ("status",),
        ("submit", *SUBMIT),
        ("quarantine", "list"),
        ("db", "upgrade"),
        ("scheduler",),
    ):
        found = shell(*command, status=1)
        assert words in found.err
        assert len(found.err.splitlines()) == 1
        said = type(said)(1, said.out, said.err + found.err + found.out)
    assert "hunter2" not in said.out + said.err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DOCMILL_LEASE_SECONDS", "soon", "DOCMILL_LEASE_SECONDS: Input should be a valid number"),
        ("DOCMILL_REDIS_URL", "hunter2", "DOCMILL_REDIS_URL: this is no Redis URL"),
        ("DOCMILL_KIND_MODULES", "nosuch", "DOCMILL_KIND_MODULES: cannot import 'nosuch'"),
        ("DOCMILL_HOME", "/dev/null/x", "/dev/null/x"),
    ],
)
def test_a_bad_setting_is_named(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    from scheduler.store import store
    from workers.kinds import all_kinds
    from workers.settings import settings

    monkeypatch.setenv(name, value)
    if name == "DOCMILL_HOME":
        monkeypatch.delenv("DOCMILL_DATABASE_URL")
    for cached in (settings, store, all_kinds):
        cached.cache_clear()
    said = shell("submit", *SUBMIT, status=1 if name == "DOCMILL_HOME" else 2)
    assert words in said.err
    assert "hunter2" not in said.err
