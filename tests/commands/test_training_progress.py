"""The bar of a training moves as far as the training says that it is."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from db.progress import note_of, share_and_words
from docmill import job
from tests.commands.conftest import Shell
from tests.db.builders import a_job, held, let_backoffs_pass, the_chunk
from workers.running import chunk_run

DOCMILL = [sys.executable, "-m", "docmill.cli"]


def half_trained(shell: Shell) -> int:
    """A training that failed after three of its four steps, and that a worker has taken up again."""
    job_id = a_job(shell.store, 2, kind="train-gated", model_ref="m", parameters={"quality": -1.0})
    assert "put back" in chunk_run.run(shell.process, the_chunk(shell.store, job_id).id)
    let_backoffs_pass(shell.store)
    held(shell.store, the_chunk(shell.store, job_id).id)
    return job_id


def test_a_training_says_how_far_it_is(shell: Shell) -> None:
    job_id = half_trained(shell)

    assert job(job_id).progress().share == 0.75
    assert "75 %: step 3 of 4" in shell("status", job_id).out


def test_the_bar_of_a_training_shows_it(shell: Shell) -> None:
    job_id = half_trained(shell)

    master, terminal = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    words = [*DOCMILL, "watch", str(job_id)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=terminal, env=environment) as watching:
        os.close(terminal)
        said = ""
        while "step 3 of 4" not in said and (read := os.read(master, 4096)):
            said += read.decode()
        watching.terminate()
    os.close(master)

    assert " 75%" in said
    assert "75 %" not in said, "the bar's own percentage is enough"


def test_the_last_step_is_not_the_end() -> None:
    assert share_and_words(note_of(4, 4, "measuring")) == (0.99, "measuring")
    assert share_and_words(note_of(0, 0, "reading")) == (0.0, "reading")
    assert share_and_words("news@1 is the champion now") == (0.0, "news@1 is the champion now")
