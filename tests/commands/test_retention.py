"""docmill retention: a policy is planned, run by hand, and applied by schedulers."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from tests.commands.conftest import Shell
from tests.db.builders import sql

POLICY = "every = '2 h'\n\n[outcomes]\nolder_than = '30 d'\n"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "retention.toml"
    path.write_text(POLICY)
    return path


def _old_nights(shell: Shell) -> list[int]:
    """Two nights over the same three documents, long ago; returns their jobs."""
    shell.texts("one", "two", "three")
    jobs = [shell.done("oracle", "--collection", "inbox") for _ in range(2)]
    with shell.store.write() as session:
        session.execute(text("UPDATE job SET finished_at = '2020-01-01 00:00:00.000000'"))
    return jobs


def test_a_policy_is_planned_and_run(shell_on_both: Shell, policy: Path) -> None:
    shell = shell_on_both
    first, second = _old_nights(shell)
    planned = shell("retention", "plan", policy, "--json").json
    assert planned == {"outcomes": 3, "rows of classification": 3}
    assert "nothing was pruned" in shell("retention", "run", policy).out
    assert shell("retention", "run", policy, "--yes", "--json").json == planned
    assert "nothing was pruned" in shell("retention", "run", policy, "--yes").out
    assert "3 of the job's 3 outcomes were pruned" in shell("results", first).err
    assert "3 pruned" in shell("verify", first).out
    assert shell("verify", second, "--json").json["n_checked"] == 3
    assert "outcomes of job" not in shell("doctor", status=None).out


def test_schedulers_apply_the_policy_that_is_set(shell: Shell, policy: Path) -> None:
    _old_nights(shell)
    shell.scheduler.retention.turn()
    assert sql(shell.store, "SELECT count(*) FROM pruned") == [(0,)]
    assert "every 2 h" in shell("retention", "set", policy).out
    policy.unlink()
    assert shell.scheduler.retention.turn()
    assert sql(shell.store, "SELECT n_ok FROM pruned") == [(3,)]
    assert not shell.scheduler.retention.turn()
    said = shell("retention", "show").out
    assert "older_than = '30 d'" in said
    assert "3 outcomes" in said
    assert shell("retention", "show", "--json").json["passes"][0]["ended_at"]
    assert "a policy is set" in shell("doctor", status=None).out
    shell("retention", "plan")
    assert "prune nothing" in shell("retention", "off").out
    shell("retention", "off", status=1)
    shell("retention", "plan", status=2)


def test_one_scheduler_has_the_turn(shell: Shell, policy: Path) -> None:
    from db.retention import passes

    shell("retention", "set", policy)
    with shell.store.write() as session:
        mine = passes.take(session)
        assert mine is not None
        assert passes.take(session) is None
    assert not shell.scheduler.retention.turn()
    # It was killed, and its time is over.
    sql(shell.store, "UPDATE retention_policy SET busy_until = '2020-01-01 00:00:00.000000' RETURNING 1")
    assert shell.scheduler.retention.turn()
    shell("retention", "off")
    with shell.store.write() as session:
        assert not passes.still_mine(session, mine)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[outcomes]\nolder_then = '1 d'", "retention.toml:2: outcomes.older_then: there is no such key; did you mean"),
        ("\n[outcomes]\nkeep_last = 1", 'retention.toml:2: outcomes.older_than is missing: write older_than = "90 d"'),
        ("[outcomes]\nolder_than = '90'", "retention.toml:2: outcomes.older_than: write a number and a unit"),
        ("[outcomes]\nolder_than = '90 d'\nkeep_last = 0", "retention.toml:3: outcomes.keep_last"),
        ("[outcomes]\nolder_than = '90 d'\nstates = ['running']", "outcomes.states: write states of jobs that"),
        ("share = 2", "retention.toml:1: share"),
        ("[outcome]\nolder_than = '90 d'", "retention.toml:1: outcome: there is no such key; did you mean outcomes?"),
        ("[outcomes", "retention.toml: this is not TOML"),
        ("# nothing yet\n", "retention.toml: the policy is empty: write a section such as [outcomes]"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_policy_is_named(shell: Shell, policy: Path, written: str, said: str) -> None:
    policy.write_text(written)
    for command in ("plan", "set"):
        assert said in shell("retention", command, policy, status=2).err


def test_a_policy_that_prunes_nothing_and_one_that_is_not_there(
    shell: Shell, policy: Path, tmp_path: Path
) -> None:
    shell.texts("one")
    policy.write_text("[outcomes]\nolder_than = '90 d'\n")
    assert "nothing" in shell("retention", "plan", policy).out
    shell("retention", "plan", tmp_path / "nobody.toml", status=1)
    policy.write_bytes(b"\xff")
    assert "not UTF-8" in shell("retention", "plan", policy, status=2).err
