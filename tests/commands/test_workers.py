"""docmill workers, and what doctor says of the registry."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from db import progress
from db.drains import Target
from db.sql import now
from db.states import DrainLevel, WorkerPhase
from db.store import Store
from db.tables import Drain, Worker
from docmill.doctor import members, standstill
from docmill.doctor.findings import Finding
from tests.commands.conftest import Shell
from tests.db.builders import a_job, chunks_of, held, sql
from tests.db.members import drain, register, was_seen
from workers.settings import settings

HOST = Target(DrainLevel.HOST, "h")


def findings(store: Store, answering: list[str] | None = None) -> dict[str, Finding]:
    with store.read() as session:
        return {found.what: found for found in members.findings(session, answering)}


def began(store: Store, table: Any, seconds_ago: float, **where: str) -> None:
    column = "drained_at" if table is Drain else "started_at"
    with store.write() as session:
        session.execute(update(table).filter_by(**where).values({column: now(-seconds_ago)}))


# --- the list ------------------------------------------------------------------------------------------------


def test_workers_of_all_hosts_or_of_one_are_listed(shell_on_both: Shell) -> None:
    shell = shell_on_both
    assert "no worker and no scheduler is registered: start `docmill" in shell("workers").out
    register(shell.store, "i1")
    register(shell.store, "i2", "cuda-0@g", "g")
    register(shell.store, "s", "scheduler@g", "g", role="scheduler")
    held(shell.store, chunks_of(shell.store, a_job(shell.store, 3))[0].id, "i2.1")
    said = shell("workers")
    for words in ("cpu-0@h", "idle", "cuda-0@g", "busy", "scheduler@g", "running"):
        assert words in said.out
    of_one = shell("workers", "--host", "g", "--json").json
    assert [(one["name"], one["state"], one["n_documents"]) for one in of_one] == [
        ("cuda-0@g", "busy", 3),
        ("scheduler@g", "running", 0),
    ]
    assert "registered on away" in shell("workers", "--host", "away").out


def test_one_worker_is_shown_with_what_its_processes_hold(shell_on_both: Shell) -> None:
    shell = shell_on_both
    register(shell.store, "i1")
    job_id = a_job(shell.store, 3)
    held(shell.store, chunks_of(shell.store, job_id)[0].id, "i1.abc")
    for what in ("i1", "cpu-0@h"):
        shown = shell("workers", "show", what, "--json").json
        assert (shown["instance"], shown["state"]) == ("i1", "busy")
        [chunk] = shown["holds"]
        assert (chunk["process"], chunk["job_id"], chunk["kind"], chunk["n_documents"]) == (
            "abc",
            job_id,
            "oracle",
            3,
        )
    assert "python_version" in shell("workers", "show", "i1").out
    assert (
        "there is no worker 'i2': `docmill workers` lists them"
        in shell("workers", "show", "i2", status=1).err
    )


# --- drain ---------------------------------------------------------------------------------------------------


def test_a_host_is_drained_and_undrained(shell_on_both: Shell) -> None:
    shell = shell_on_both
    register(shell.store, "i1")
    assert shell("workers", "drain", "h").lines == ["host h is drained: cpu-0@h (draining)"]
    [one] = shell("workers", "--json").json
    assert one["drained_at"]
    assert "@" in one["drained_by"]
    assert "host h is not drained any more" in shell("workers", "undrain", "h").out
    assert shell("workers", "--json").json[0]["state"] == "idle"
    again = shell("workers", "undrain", "h", status=1)
    assert again.err.strip() == "docmill: h was not drained"
    shell("workers", "drain", "cpu-0@h")
    assert "h was not drained; drained are name cpu-0@h" in shell("workers", "undrain", "h", status=1).err


def test_a_name_that_nobody_has_is_refused_and_changes_nothing(shell_on_both: Shell) -> None:
    shell = shell_on_both
    register(shell.store, "i1")
    for command in ("drain", "undrain"):
        said = shell("workers", command, "hh", status=1)
        assert (
            said.err.strip() == "docmill: there is no worker and no host 'hh': `docmill workers` lists them"
        )
    assert sql(shell.store, "SELECT * FROM drain") == []


def test_waiting_ends_when_nothing_is_held_any_more_or_its_time_is_up(shell_on_both: Shell) -> None:
    shell = shell_on_both
    register(shell.store, "i1")
    said = shell("workers", "drain", "h", "--timeout", "0", status=1)
    assert said.err.splitlines() == [
        "waiting for cpu-0@h (draining)",
        "docmill: not drained after 0 s: cpu-0@h (draining)",
    ]
    register(shell.store, "i1", phase=WorkerPhase.DRAINED)
    assert "drained: cpu-0@h (drained)" in shell("workers", "drain", "h", "--wait").out
    held(shell.store, chunks_of(shell.store, a_job(shell.store, 1))[0].id, "i1.1")
    was_seen(shell.store, "i1", 500)
    assert "cpu-0@h (gone)" in shell("workers", "drain", "h", "--timeout", "0", status=1).err, (
        "it holds a lease"
    )
    sql(shell.store, "DELETE FROM worker RETURNING 1")
    assert "no worker is left" in shell("workers", "drain", "h", "--wait").out


# --- doctor --------------------------------------------------------------------------------------------------


def test_a_drain_is_told_and_a_forgotten_one_is_a_problem(store: Store) -> None:
    register(store, "i1")
    drain(store, HOST)
    found = findings(store)["host h"]
    assert found.ok
    assert "by me@here: its workers claim nothing" in found.detail
    began(store, Drain, 30 * 3600)
    found = findings(store)["host h"]
    assert not found.ok
    assert "30.0 hours ago" in found.detail
    assert found.fix == "docmill workers undrain h"


def test_versions_that_differ_are_an_upgrade_at_first(store: Store) -> None:
    register(store, "i1", torch_version="2.13.0+cpu")
    register(store, "i2", "cuda-0@g", torch_version="2.13.0+cu126")
    assert not [what for what in findings(store) if what.startswith("versions")], "two builds of one version"
    register(store, "i3", "cpu-1@h", docmill_version="0.0.1", torch_version="2.12.1")
    for name, each in (
        ("docmill", "0.0.1: cpu-1@h"),
        ("torch", "2.12.1: cpu-1@h; 2.13.0: cpu-0@h, cuda-0@g"),
    ):
        found = findings(store)[f"versions of {name}"]
        assert found.ok
        assert each in found.detail
    began(store, Worker, 7200)
    assert not findings(store)["versions of torch"].ok
    was_seen(store, "i3", 500)
    assert "versions of torch" not in findings(store), "it is gone"


def test_a_worker_that_is_in_one_place_only_is_named(store: Store) -> None:
    register(store, "i1")
    register(store, "i2", "cpu-1@h")
    assert findings(store, ["cpu-0@h"]).get("worker cpu-1@h") is None, "it has just started"
    began(store, Worker, 120)
    assert not [what for what in findings(store, None) if what.startswith("worker")], "Redis cannot be asked"
    found = findings(store, ["cpu-0@h", "cpu-9@h"])
    assert "is registered (idle) and does not answer through Redis" in found["worker cpu-1@h"].detail
    assert "DOCMILL_REDIS_URL on h" in (found["worker cpu-1@h"].fix or "")
    assert "answers through Redis and is not registered in this store" in found["worker cpu-9@h"].detail
    assert "worker cpu-0@h" not in found
    drain(store, HOST)
    sql(store, "UPDATE worker SET phase = 'drained' RETURNING 1")
    assert "worker cpu-1@h" not in findings(store, ["cpu-0@h"]), "a drained worker takes no messages"


@pytest.mark.usefixtures("redis_url")
def test_work_that_waits_for_drained_workers_says_so(shell: Shell) -> None:
    settings.cache_clear()
    shell.texts("a")
    job_id = shell.job("oracle", "--collection", "inbox")
    long_ago = "'2020-01-01 00:00:00.000000'"
    sql(shell.store, f"UPDATE job SET created_at = {long_ago}, started_at = {long_ago} RETURNING 1")
    sql(shell.store, "UPDATE chunk SET sent_at = strftime('%Y-%m-%d %H:%M:%f000', 'now') RETURNING 1")
    register(shell.store, "i1")
    drain(shell.store, HOST)
    [found] = [one for one in shell("doctor", "--json", status=1).json if one["what"] == "oracle"]
    assert found["detail"].endswith("every worker is drained")
    assert "docmill workers undrain" in found["fix"]
    with shell.store.read() as session:
        still = standstill.of(session, [progress.of(session, job_id)], settings(), 10)
    assert still[job_id].why.startswith("every worker is drained: docmill workers")
