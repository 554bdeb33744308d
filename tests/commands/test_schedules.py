"""schedule add, list, remove, run; models list, show, promote, rollback."""

from __future__ import annotations

import pytest

from scheduler import firing
from tests.commands.conftest import Shell

NIGHTLY = ("schedule", "add", "nightly", "--cron", "0 2 * * *", "--tz", "Asia/Seoul")


def test_a_schedule_from_add_to_remove(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a")
    jobs = ("--job", "oracle --collection inbox --new", "--job", "submit nothing --collection inbox")
    said = shell(*NIGHTLY, *jobs)
    assert "02:00 (Asia/Seoul)" in said.out
    [row] = shell("schedule", "list", "--json").json
    assert row["next"].endswith("17:00:00+00:00")
    assert [job["kind"] for job in row["jobs"]] == ["oracle", "nothing"]
    first, second = shell("schedule", "run", "nightly", "--json").json["jobs"]
    assert shell("status", second, "--json").json["after_job_id"] == first
    assert "Asia/Seoul" in shell("schedule", "list").out
    assert "schedule edit nightly` changes it" in shell(*NIGHTLY, *jobs, status=1).err
    shell("schedule", "remove", "nightly")
    assert (
        "there is no schedule 'nightly' (there are: none)"
        in shell("schedule", "run", "nightly", status=1).err
    )


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--cron", "0 2 * *", "--job", "oracle --collection inbox"), 2, "'0 2 * * *' is every night at two"),
        (("--cron", "* * * * * *", "--job", "oracle --collection inbox"), 2, "docmill does not schedule by seconds"),
        (("--cron", "0 0 2 * * *", "--job", "oracle --collection inbox"), 2, "day of week: '0 2 * * *'"),
        (("--cron", "@reboot", "--job", "oracle --collection inbox"), 2, "'@reboot' is unknown; there are @hourly"),
        (("--cron", "0 2 30 2 *", "--job", "oracle --collection inbox"), 2, "Bad day-of-month"),
        (("--tz", "Mars/X", "--cron", "0 2 * * *", "--job", "oracle --collection inbox"), 2, "zone 'Mars/X'"),
        (("--cron", "0 2 * * *", "--job", "oracle --collectio inbox"), 2, "No such option: --collectio"),
        (("--cron", "0 2 * * *", "--job", "oracle --collection 'inbox"), 2, "No closing quotation"),
        (("--cron", "0 2 * * *", "--job", ""), 2, "Missing argument"),
        (("--cron", "0 2 * * *", "--job", "oracle --collection inbox --wait"), 2, "leave out --wait"),
        (("--cron", "0 2 * * *", "--job", "oracle --collection inbox -p bath=1"), 2, "did you mean 'batch'?"),
        (("--cron", "0 2 * * *", "--job", "oracle --collection inbo"), 1, "there is no collection 'inbo'"),
    ],
)  # fmt: skip
def test_what_would_fail_at_night_is_refused_now(
    shell: Shell, words: tuple[str, ...], status: int, message: str
) -> None:
    shell.texts("a")
    said = shell("schedule", "add", "n", *words, status=status)
    assert message in said.err
    assert len(said.err.splitlines()) == 1
    assert shell("schedule", "list", "--json").json == []


def test_a_schedule_of_a_word_fires_at_its_time(shell: Shell) -> None:
    shell.texts("a")
    for word in ("@hourly", "@daily", "@Weekly", "@monthly", "@yearly"):
        shell("schedule", "add", word[1:], "--cron", word, "--job", "oracle --collection inbox")
    rows = {row["name"]: row["next"] for row in shell("schedule", "list", "--json").json}
    assert all(":00:00+00:00" in next_at for next_at in rows.values())
    assert "-01-01T00:00" in rows["yearly"]
    assert "-01T00:00" in rows["monthly"]


def test_a_run_of_a_schedule_with_nothing_new_makes_no_job(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a")
    shell(*NIGHTLY, "--job", "oracle --collection inbox --new", "--job", "nothing --collection inbox --new")
    first = shell("schedule", "run", "nightly", "--json").json["jobs"]
    assert len(first) == 2
    said = shell("schedule", "run", "nightly").out
    assert said == "schedule nightly: nothing to do, so no job was made\n"
    for job_id in first:
        shell.work(job_id)
    assert shell("schedule", "run", "nightly", "--json").json["jobs"] == []
    assert len(shell("status", "--json").json) == 2


@pytest.mark.parametrize("words", ["show m", "promote m@1", "promote m", "rollback m"])
def test_a_model_that_is_not_there_is_an_error_of_one_line(shell: Shell, words: str) -> None:
    assert (
        "there is no model 'm': `docmill models list` shows them"
        in shell("models", *words.split(), status=1).err
    )


def test_versions_of_a_model_are_listed_promoted_and_rolled_back(shell: Shell) -> None:
    shell.texts(*["red apple"] * 4, *["blue sea"] * 2)
    for min_count in (2, 3):
        words = ("similarity", "--collection", "inbox", "-p", "vector_size=4", "-p", "epochs=1", "--json")
        job_id = shell.work(shell("train", *words, "-p", f"min_count={min_count}").json["job"])
    assert (
        "trains a model and has no result rows: see docmill models show inbox"
        in shell("results", job_id, status=2).err
    )
    # The second knows two of the words no more: the gate refuses what would replace the first version.
    assert [row["aliases"] for row in shell("models", "list", "--json").json] == [[], ["champion"]]
    assert "refused beside version 1: unknown_share" in shell("models", "list").out
    refusal = shell("models", "promote", "inbox@2", status=1).err
    assert "the gate refuses inbox@2" in refusal
    assert "unknown_share" in refusal
    assert "inbox@champion is now version 2" in shell("models", "promote", "inbox@2", "--force").out
    shell("models", "promote", "inbox@1")
    assert [row["aliases"] for row in shell("models", "show", "inbox", "--json").json] == [[], ["champion"]]
    assert "version 2 again" in shell("models", "rollback", "inbox").out
    assert "has no version '7'" in shell("models", "promote", "inbox@7", status=1).err


# --- policies, and what people are told --------------------------------------------------------------------------

POLICIES = (
    "--catchup", "all", "--catchup-within", "2d", "--overlap", "queue", "--deadline", "7:00",
    "--pause-on-failure", "2", "--max-errors", "5%", "--notify", "late,failed",
    "--to", "webhook:env:HOOK", "--to", "smtp:env:MAIL:kim@example.com",
)  # fmt: skip
JOB = ("--job", "oracle --collection inbox --new -p batch=4")


def test_policies_are_shown_changed_and_cleared(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a")
    shell(*NIGHTLY, *JOB, *POLICIES)
    whole = shell("schedule", "show", "nightly", "--json").json
    assert {name: whole[name] for name in ("catchup", "catchup_within_seconds", "overlap", "deadline")} == {
        "catchup": "all", "catchup_within_seconds": 172_800, "overlap": "queue", "deadline": "07:00",
    }  # fmt: skip
    assert (whole["pause_on_failure"], whole["max_error_share"]) == (2, 0.05)
    assert whole["notify"] == [
        {"to": "webhook:env:HOOK", "events": ["late", "failed"]},
        {"to": "smtp:env:MAIL:kim@example.com", "events": ["late", "failed"]},
    ]
    shown = shell("schedule", "show", "nightly").out
    assert "all, within 2d" in shown
    assert "oracle --collection inbox -p batch=4 --new" in shown
    cleared = (
        "--catchup-within",
        "none",
        "--deadline",
        "none",
        "--max-errors",
        "none",
        "--pause-on-failure",
        "none",
    )
    said = shell("schedule", "edit", "nightly", "--cron", "30 1 * * *", "--tz", "Europe/Berlin", *cleared)
    assert "01:30 (Europe/Berlin)" in said.out
    shell("schedule", "edit", "nightly", "--notify", "errors", "--job", "nothing --collection inbox")
    whole = shell("schedule", "show", "nightly", "--json").json
    assert [
        whole[name] for name in ("catchup_within_seconds", "deadline", "max_error_share", "pause_on_failure")
    ] == [None] * 4
    assert (whole["catchup"], whole["overlap"]) == ("all", "queue")
    assert [rule["events"] for rule in whole["notify"]] == [["errors"], ["errors"]]
    assert [job["kind"] for job in whole["jobs"]] == ["nothing"]
    shell("schedule", "edit", "nightly", "--to", "none")
    assert shell("schedule", "show", "nightly", "--json").json["notify"] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--catchup", "some"), "--catchup 'some': write none, latest or all"),
        (("--overlap", "both"), "--overlap 'both': write skip, queue or replace"),
        (("--catchup-within", "2 years"), "write 90m, 12h or 2d"),
        (("--catchup", "none", "--catchup-within", "2d"), "means nothing with --catchup none"),
        (("--deadline", "25:00"), "'25:00' is no time of day: write it as 07:00"),
        (("--pause-on-failure", "0"), "write a number from 1, or none"),
        (("--max-errors", "500%"), "write 5% or 0.05"),
        (("--notify", "late"), "needs a destination: --to webhook:env:HOOK_URL"),
        (("--notify", "soon", "--to", "webhook:env:H"), "there is no event 'soon': late, failed, recovered"),
        (("--to", "webhook:https://me:hunter2@host/"), "write the name of an environment variable"),
        (("--to", "smtp:env:MAIL"), "names nobody"),
    ],
)  # fmt: skip
def test_policies_that_mean_nothing_are_refused_in_one_line(
    shell: Shell, words: tuple[str, ...], message: str
) -> None:
    shell.texts("a")
    shell(*NIGHTLY, *JOB)
    for said in (
        shell("schedule", "add", "n", "--cron", "@daily", *JOB, *words, status=2),
        shell("schedule", "edit", "nightly", *words, status=2),
    ):
        assert message in said.err
        assert len(said.err.splitlines()) == 1
        assert "hunter2" not in said.err
    assert "nothing to change" in shell("schedule", "edit", "nightly", status=2).err


@pytest.mark.parametrize("name", ["", " a", "a\nb", "x" * 101])
def test_a_name_that_no_table_can_hold_is_refused(shell: Shell, name: str) -> None:
    shell.texts("a")
    assert "is no name" in shell("schedule", "add", name, "--cron", "@daily", *JOB, status=2).err


def test_a_schedule_is_disabled_enabled_and_its_runs_are_listed(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a", "b")
    shell("schedule", "add", "야간", "--cron", "0 2 * * *", "--tz", "Asia/Seoul", *JOB)
    assert shell("schedule", "history", "야간").out == "schedule 야간 has not fired yet\n"
    [job_id] = shell("schedule", "run", "야간", "--json").json["jobs"]
    shell.work(job_id)
    firing.turn(shell.store)
    [run] = shell("schedule", "history", "야간", "--json").json
    assert (run["cause"], run["state"], run["jobs"]) == ("hand", "succeeded", [job_id])
    assert "enable 야간" in shell("schedule", "disable", "야간").out
    [row] = shell("schedule", "list", "--json").json
    assert (row["next"], row["paused"], row["state"]) == (None, "disabled by hand", "succeeded")
    assert "paused: disabled by hand" in shell("schedule", "list").out
    assert "next at" in shell("schedule", "enable", "야간").out
    assert "was not paused" in shell("schedule", "enable", "야간").out
    assert shell("schedule", "list", "--json").json[0]["paused"] is None


def test_a_test_message_is_sent_and_a_fault_is_told(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.texts("a")
    shell(*NIGHTLY, *JOB)
    assert "tells nobody" in shell("notifications", "test", "nightly", status=2).err
    monkeypatch.setenv("TRUE", "true")
    monkeypatch.setenv("FALSE", "false")
    shell("schedule", "edit", "nightly", "--to", "command:env:TRUE")
    assert shell("notifications", "test", "nightly", "--here").out == "command:env:TRUE: accepted\n"
    shell("schedule", "edit", "nightly", "--to", "command:env:FALSE")
    said = shell("notifications", "test", "nightly", "--here", status=1)
    assert said.out == "command:env:FALSE: not accepted: the command of FALSE ended with exit status 1\n"
    rows = shell("notifications", "list", "--json").json
    assert [row["state"] for row in rows] == ["pending", "sent"]
    [unsent] = shell("notifications", "list", "--unsent", "--json").json
    assert "1 notification is sent again" in shell("notifications", "retry", unsent["number"]).out
    assert "there is no unsent notification 99" in shell("notifications", "retry", 99, status=1).err
    assert "exit status 1" in shell("notifications", "list").out
