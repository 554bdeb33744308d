"""docs/operations.md: every command is run in the situation that it is for, and what the page says is seen is seen."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import update

from db import notifications, registry, run_messages
from db.sql import now
from db.states import Event
from db.tables import Notification, Worker
from scheduler.store import store as opened
from tests.commands.conftest import Shell, _shell
from tests.db.builders import add_documents, chunks_of, claim, let_backoffs_pass, sql, submit
from workers.processes import liveness
from workers.settings import settings

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
#: What stays up until it is stopped: others' tests start it.
SERVICES = {"docmill up", "docmill scheduler", "docmill worker"}


@dataclass(frozen=True)
class Situation:
    """What a section is about, made; and what its placeholders stand for."""

    names: dict[str, str] = field(default_factory=dict)
    #: The command, as it begins -> its exit status, if that is not 0.
    statuses: dict[str, int] = field(default_factory=dict)


DOCTOR = {"docmill doctor": 1}


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", PAGE, flags=re.MULTILINE)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))


def commands(section: str) -> Iterator[list[str]]:
    for block in re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            assert words[0] == "docmill", line
            yield words[1:]


def a_job(shell: Shell, key: str = "k0") -> Situation:
    shell.texts("one", "two")
    return Situation({"42": str(shell.done("oracle", "--collection", "inbox")), "report-7": key}, DOCTOR)


def nothing_runs(shell: Shell) -> Situation:
    shell.texts("one")
    shell.job("oracle", "--collection", "inbox")
    sql(shell.store, "UPDATE job SET created_at = '2020-01-01', started_at = '2020-01-01' RETURNING 1")
    return Situation({}, DOCTOR)


def paused(shell: Shell) -> Situation:
    shell.texts("one", "two")
    job = shell.job("oracle", "--collection", "inbox")
    shell.job("oracle", "--collection", "inbox", "--after", job)
    shell("pause", job)
    return Situation({"42": str(job)}, DOCTOR)


def lost_host(shell: Shell) -> Situation:
    member = registry.Member("x", "worker", "cpu-0@gone", "gone", 7, "cpu", "oracle", "0", "0")
    with shell.store.write() as session:
        registry.beat(session, [member])
        session.execute(update(Worker).values(started_at=now(-900), last_seen_at=now(-600)))
    return Situation({}, DOCTOR)


def unhealthy(_: Shell) -> Situation:
    for part in ("scheduler", "worker"):
        liveness.SignOfLife(settings(), part).beat()
    return Situation()


def failing_chunk(shell: Shell) -> Situation:
    from db import chunks

    job = submit(shell.store, add_documents(shell.store, 2), per_chunk=10).job_id
    for _ in range(2):
        let_backoffs_pass(shell.store)
        held = claim(shell.store, chunks_of(shell.store, job)[0].id)
        assert held is not None
        with shell.store.write() as session:
            chunks.put_back(session, held, "models/topics: no such folder")
    return Situation({"42": str(job)}, DOCTOR)


def failed_documents(shell: Shell) -> Situation:
    shell.texts("!raise", "two")
    return Situation(
        {"42": str(shell.done("oracle", "--collection", "inbox")), "report-7": "k1"}, {"docmill doctor": 1}
    )


def quarantined(shell: Shell) -> Situation:
    shell.texts("one", "two", "three")
    return Situation({"42": str(shell.poison("oracle", "--collection", "inbox")), "report-7": "k0"}, DOCTOR)


def no_night(shell: Shell) -> Situation:
    shell.texts("one")
    shell("schedule", "add", "nightly", "--cron", "0 2 * * *", "--job", "oracle --collection inbox")
    shell("schedule", "run", "nightly")
    shell("schedule", "disable", "nightly")
    return Situation({}, DOCTOR)


def unsent(shell: Shell) -> Situation:
    shell.texts("one")
    with shell.store.write() as session:
        message = run_messages.test_message("x")
        notifications.send(session, "x", Event.FAILED, "k", message, ["webhook:env:HOOK"])
        session.execute(update(Notification).values(created_at=now(-3600)))
    return Situation({}, DOCTOR)


def two_models(shell: Shell) -> Situation:
    for quality in (0.5, 0.6):
        shell.texts("a", "b", collection="learn")
        words = ("gated", "--collection", "learn", "--model", "topics", "-p", f"quality={quality}", "--json")
        shell.work(shell("train", *words).json["job"])
    return Situation({}, DOCTOR)


def broken_model(shell: Shell) -> Situation:
    two_models(shell)
    next(settings().models_path.rglob("quality")).unlink()
    return Situation({}, DOCTOR | {"docmill verify": 1})


def growing(shell: Shell) -> Situation:
    shell.texts("one")
    Path("retention.toml").write_text("[outcomes]\nolder_than = '30 d'\n")
    return Situation({}, DOCTOR)


def older_worker(shell: Shell) -> Situation:
    member = registry.Member("x", "worker", "cpu-0@old", "old", 7, "cpu", "oracle", "0", "0001")
    with shell.store.write() as session:
        registry.beat(session, [member])
    return Situation({}, DOCTOR)


def backed_up(shell: Shell) -> Situation:
    a_job(shell)
    shell("backup", "backups/LAST")
    return Situation({}, DOCTOR)


def destroyed(shell: Shell) -> Situation:
    found = backed_up(shell)
    assert shell.store.file is not None
    shell.store.file.write_bytes(b"no database" * 1_000)
    return found


SITUATIONS: dict[str, Callable[[Shell], Situation]] = {
    "": a_job,
    "No job makes progress": nothing_runs,
    "One job makes no progress": paused,
    "A worker or a host is lost": lost_host,
    "A container is unhealthy": unhealthy,
    "A chunk fails again and again": failing_chunk,
    "Documents failed": failed_documents,
    "Documents are in quarantine": quarantined,
    "A night did not run, or not all of it": no_night,
    "Notifications do not arrive": unsent,
    "A new model is worse": two_models,
    "Files of a model are missing or damaged": broken_model,
    "Results look wrong": a_job,
    "The store grows too large": growing,
    "The disk is full": a_job,
    "The tables are of another version": older_worker,
    "Before an upgrade or maintenance": backed_up,
    "The store is lost": destroyed,
    "Redis is lost": a_job,
    "The password of the database or of Redis has changed": a_job,
}


@pytest.mark.parametrize("title", SITUATIONS)
def test_the_commands_of_a_symptom_are_run_where_it_is_seen(
    title: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    section = sections()[title]
    situation = SITUATIONS[title](shell)
    seen = shell("doctor", status=None).out + shell("status", status=None).out if "```text" in section else ""
    for block in re.findall(r"```text\n(.*?)```", section, flags=re.DOTALL):
        for line in block.splitlines():
            assert line in seen, seen
    for words in commands(section):
        typed = [_filled(word, situation.names) for word in words]
        if words[0] == "watch":
            shell.work(int(typed[1]))
        if words[0] == "restore":
            # As in a process of its own: nobody else has the store open.
            shell.store.close()
            if opened.cache_info().currsize:
                opened().close()
            opened.cache_clear()
        command = f"docmill {words[0]}"
        shell(*typed, status=situation.statuses.get(command, 0))


def _filled(word: str, names: dict[str, str]) -> str:
    return re.sub(r"\b42\b|report-7", lambda found: names.get(found[0], found[0]), word)


def test_every_section_has_its_situation_and_every_command_in_the_text_exists() -> None:
    from tests.commands.test_help import COMMANDS

    assert list(sections()) == list(SITUATIONS)
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    run = {
        " ".join(words[:n]) for section in sections().values() for words in commands(section) for n in (1, 2)
    }
    for named in re.findall(r"`docmill ([a-z]+(?: [a-z]+)?)[^`]*`", prose):
        assert named in run or f"docmill {named}" in SERVICES, named
        assert any(tuple(named.split()) == path[: len(named.split())] for path in COMMANDS)


@pytest.fixture
def shell(sqlite_store: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """The docmill command on SQLite."""
    monkeypatch.setenv("DOCMILL_DATABASE_URL", sqlite_store.url.render_as_string(hide_password=False))  # type: ignore[attr-defined]
    yield from _shell(sqlite_store)  # type: ignore[arg-type]
