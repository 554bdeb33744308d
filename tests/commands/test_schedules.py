"""schedule add, list, remove, run; models list, show, promote, rollback."""

from __future__ import annotations

import pytest

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
