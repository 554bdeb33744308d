"""limits set, list, remove; who submits; and why a job waits."""

from __future__ import annotations

import getpass
import os

import pytest

from docmill import Client
from tests.commands.conftest import Shell
from tests.db.builders import chunks_of, held, job_of


def test_limits_are_set_listed_and_removed(shell: Shell) -> None:
    shell.texts("a")
    assert shell("limits", "list").out == "no limits: docmill limits set --help\n"
    words = ("--collection", "inbox", "--kind", "oracle", "--submitter", "kim")
    said = shell("limits", "set", *words, "--weight", "0.5", "--chunks-at-once", "2")
    assert (
        said.out
        == "kind oracle of collection inbox, submitted by kim: weight 0.5; at most 2 chunks at once\n"
    )
    # What is not given stays.
    said = shell("limits", "set", *words, "--device-time-per-night", "90m", "--time-zone", "Asia/Seoul")
    assert "weight 0.5; at most 2 chunks at once; at most 1 h 30 min of devices from noon to noon" in said.out
    shell("limits", "set", "--documents-per-minute", "600")
    everything, one = shell("limits", "list", "--json").json
    assert (everything["collection"], everything["documents_per_minute"]) == ("", 600)
    assert (one["kind"], one["device_seconds_per_night"], one["time_zone"]) == ("oracle", 5_400, "Asia/Seoul")
    assert "600 documents" in shell("limits", "list").out
    assert shell("limits", "remove", *words).out.endswith("submitted by kim: no limits\n")
    shell("limits", "remove")
    assert shell("limits", "list", "--json").json == []


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("set --kind oracle", 2, "say what to limit: --weight, --chunks-at-once, --documents-per-minute or"),
        ("set --kind oracle --time-zone UTC", 2, "say what to limit"),
        ("set --kind oracel --weight 2", 2, "there is no kind 'oracel': choose one of"),
        ("set --collection inbo --weight 2", 1, "there is no collection 'inbo' (there are: inbox)"),
        ("set --weight 0", 2, "Invalid value for '--weight'"),
        ("set --chunks-at-once 0", 2, "Invalid value for '--chunks-at-once'"),
        ("set --device-time-per-night soon", 2, "'soon' is no length of time: write 90m, 12h or 2d"),
        ("set --weight 2 --time-zone Asia/Soul", 2, "Asia/Soul"),
        ("set --weight 2 --submitter ''", 2, "submitter '' is no name: write 1 to 200 characters"),
        ("remove --kind oracle", 1, "there is no limit for kind oracle: `docmill limits list` shows them"),
    ],
)
def test_a_slip_is_named_with_its_fix(shell: Shell, words: str, status: int, message: str) -> None:
    shell.texts("a")
    said = shell("limits", *[word.strip("'") for word in words.split()], status=status)
    assert message in said.err, said
    assert shell("limits", "list", "--json").json == []


def test_status_says_which_limit_a_job_waits_for(shell: Shell) -> None:
    shell.texts("a")
    first, second = (shell.job("oracle", "--collection", "inbox", "-p", f"batch={n}") for n in (1, 2))
    held(shell.store, chunks_of(shell.store, first)[0].id)
    shell("limits", "set", "--kind", "oracle", "--chunks-at-once", "1")
    found = {row["job_id"]: row["obstacle"] for row in shell("status", "--json").json}
    assert found[first] is None
    assert found[second] == (
        "held back by a limit: kind oracle: at most 1 chunk at once (`docmill limits list`)"
    )
    shell("limits", "remove", "--kind", "oracle")
    assert "held back" not in (shell("status", second, "--json").json["obstacle"] or "")


def test_a_removed_or_renamed_collection_takes_its_limits_along(shell: Shell) -> None:
    shell.texts("a")
    shell("limits", "set", "--collection", "inbox", "--weight", "2")
    shell("collections", "rename", "inbox", "news")
    assert [row["collection"] for row in shell("limits", "list", "--json").json] == ["news"]
    shell("collections", "remove", "news", "--yes")
    assert shell("limits", "list", "--json").json == []


# --- who submits, and how often ------------------------------------------------------------------------------------


def test_a_job_names_who_submitted_it(shell: Shell) -> None:
    shell.texts("a")
    here = f"{getpass.getuser()}@{os.uname().nodename}"
    mine = shell.job("oracle", "--collection", "inbox")
    theirs = shell.job("oracle", "--collection", "inbox", "--submitter", "kim")
    with Client() as client:
        lees = client.submit("oracle", collection="inbox", submitter="lee").id
    assert [shell("status", job, "--json").json["submitter"] for job in (mine, theirs, lees)] == [
        here,
        "kim",
        "lee",
    ]
    said = shell("submit", "oracle", "--collection", "inbox", "--submitter", "a\nb", status=2)
    assert "submitter 'a\\nb' is no name" in said.err


def test_a_unique_job_is_made_once(shell: Shell) -> None:
    shell.texts("a", "b")
    first = shell.job("oracle", "--collection", "inbox", "--unique")
    said = shell("submit", "oracle", "--collection", "inbox", "--unique")
    assert said.out == f"job {first} does the same and has not ended: oracle over 2 documents\n"
    with Client() as client:
        again = client.submit("oracle", collection="inbox", unique=True)
    assert (again.id, again.created) == (first, False)
    shell.work(first)
    assert shell.job("oracle", "--collection", "inbox", "--unique") != first


def test_an_exclusive_job_says_what_it_waits_for(shell: Shell) -> None:
    shell.texts("a")
    first = shell.job("oracle", "--collection", "inbox")
    alone = shell.job("oracle", "--collection", "inbox", "--exclusive")
    after = shell.job("oracle", "--collection", "inbox")
    said = {row["job_id"]: row["obstacle"] for row in shell("status", "--json").json}
    assert said[alone] == f"waiting for job {first}: one of the two is exclusive"
    assert said[after] == f"waiting for job {alone}: one of the two is exclusive"
    shell.work(first)
    shell.work(alone)
    shell.work(after)
    assert job_of(shell.store, after).state == "finished"
