"""A job without a single result says that it failed and why, wherever one looks; no stale word of its training."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from db.chunks import MAX_LOST, WHOLE_CHUNK
from db.progress import note_of
from docmill import job
from tests.commands.conftest import Shell
from tests.db.builders import held, let_backoffs_pass, let_leases_expire, reap, suspect, the_chunk
from workers.running.lease import Lease

COUNTING = note_of(0, 1, "counting n-grams")
LOST = f"CRASHED: {MAX_LOST} workers that ran this chunk were lost in a row: its worker stopped renewing the lease"


def training(shell: Shell) -> int:
    """A training that has said something of itself."""
    shell.texts("the bank raised rates", "a goal in the cup", labels=["money", "sport"])
    job_id = int(shell("train", "classify", "--collection", "inbox", "--json").json["job"])
    claim = held(shell.store, the_chunk(shell.store, job_id).id)
    Lease(shell.process, claim).beat(COUNTING)
    assert shell("status", job_id, "--json").json["note"] == COUNTING
    return job_id


def lost(shell: Shell) -> int:
    """A training whose worker lost its lease at each of its tries."""
    job_id = training(shell)
    let_leases_expire(shell.store)
    reap(shell.store)
    for _ in range(MAX_LOST):
        let_backoffs_pass(shell.store)
        suspect(shell.store, held(shell.store, the_chunk(shell.store, job_id).id), WHOLE_CHUNK)
        let_leases_expire(shell.store)
        reap(shell.store)
    return shell.work(job_id)


def test_a_training_that_lost_all_its_workers_failed(shell_on_both: Shell) -> None:
    shell = shell_on_both
    job_id = lost(shell)

    listed = " ".join(shell("status").out.split())
    assert "failed" in listed
    assert "finished" not in listed
    assert "counting" not in listed
    ended = shell("watch", job_id, status=3).out
    assert ended.startswith(f"job {job_id} failed")
    assert LOST in ended
    row = shell("status", job_id, "--json").json
    assert row["note"].startswith(f"failed: {LOST}")
    assert row["state"] == "finished", "every document has its outcome: the promise is about these"
    now = job(job_id).wait()
    assert (now.failed, now.shown_state) == (True, "failed")
    with shell.store.read() as session:
        note = session.scalar(text("SELECT note FROM v_job_progress"))
    assert str(note).startswith(f"failed: {LOST}")


def test_a_cancelled_training_says_how_far_it_was(shell_on_both: Shell) -> None:
    shell = shell_on_both
    job_id = training(shell)
    shell("cancel", job_id)
    shell.work(job_id)

    row = shell("status", job_id, "--json").json
    assert (row["state"], row["note"]) == ("cancelled", f"cancelled at {COUNTING}")
    assert not job(job_id).wait().failed
    shell("watch", job_id, status=4)


@pytest.mark.parametrize(
    ("texts", "failed"),
    [(("", " "), "failed: EMPTY_TEXT: the document is blank"), (("", "a"), None), (("a", "b"), None)],
    ids=["all", "some", "none"],
)
def test_a_job_failed_when_no_document_has_a_result(
    shell_on_both: Shell, texts: tuple[str, ...], failed: str | None
) -> None:
    shell = shell_on_both
    shell.texts(*texts)
    job_id = shell.done("oracle", "--collection", "inbox")
    now = job(job_id).progress()
    assert (now.failed, now.note) == (failed is not None, failed)
    assert ("failed" in shell("status").out) == (failed is not None)
