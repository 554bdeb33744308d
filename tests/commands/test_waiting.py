"""Who waits for a job that does not move is told why, and the job goes on waiting."""

from __future__ import annotations

import subprocess
import sys
from subprocess import PIPE

import pytest

from db.progress import JobProgress
from docmill import job
from docmill.doctor.obstacles import STILL_SECONDS, Obstacles
from tests.commands.conftest import Shell
from tests.db.builders import chunks_of, crash, held, job_of, let_backoffs_pass, suspect, the_chunk
from workers.running import chunk_run

pytest.importorskip("transformers")

DOCMILL = [sys.executable, "-m", "docmill.cli"]
FOLDER = "/nonexistent/model"
SUBMIT = ("summarize", "--collection", "inbox", "-p", "method=abstractive", "-p", f"pretrained={FOLDER}")
WHY = f"no config.json in {FOLDER}"


def put_back(shell: Shell, times: int = 1) -> int:
    """A job over a model folder that is not there, which a worker has tried so often."""
    shell.texts("The bridge is open.")
    job_id = shell.job(*SUBMIT)
    for _ in range(times):
        let_backoffs_pass(shell.store)
        assert "put back" in chunk_run.run(shell.process, the_chunk(shell.store, job_id).id)
    return job_id


def test_status_says_why_a_job_does_not_move(shell_on_both: Shell) -> None:
    shell = shell_on_both
    job_id = put_back(shell)

    assert WHY in " ".join(shell("status").out.split())
    assert (
        shell("status", job_id, "--json").json["fault"].startswith(f"chunk 1 of 1 was put back once: {WHY}")
    )
    let_backoffs_pass(shell.store)
    chunk_run.run(shell.process, the_chunk(shell.store, job_id).id)
    assert "was put back 2 times" in shell("status", job_id, "--json").json["fault"]
    with pytest.raises(TimeoutError, match=WHY):
        job(job_id).wait(timeout_seconds=0)
    assert job_of(shell.store, job_id).state == "running"


def test_what_waits_after_a_death_says_so(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a", "b")
    job_id = shell.job("oracle", "--collection", "inbox")
    claim = held(shell.store, chunks_of(shell.store, job_id)[0].id)
    assert shell("status", job_id, "--json").json["n_chunks_leased"] == 1
    suspect(shell.store, claim, claim.document_ids[0])
    crash(shell.store)
    assert shell("status", job_id, "--json").json["fault"] == "chunk 1 of 1 lost its worker once: it died"
    shell.work(job_id)
    assert shell("status", job_id, "--json").json["fault"] is None


@pytest.mark.parametrize("words", [("watch", "1"), ("submit", *SUBMIT, "--key", "k", "--wait")])
def test_who_watches_is_told_once_and_the_job_goes_on(shell: Shell, words: tuple[str, ...]) -> None:
    shell.texts("The bridge is open.")
    job_id = shell.job(*SUBMIT, "--key", "k")
    chunk_run.run(shell.process, the_chunk(shell.store, job_id).id)

    with subprocess.Popen([*DOCMILL, *words], stderr=PIPE, stdout=PIPE, text=True) as watching:
        assert watching.stderr is not None
        said = watching.stderr.readline()

        assert said.startswith(f"job {job_id}: chunk 1 of 1 was put back once: {WHY}")
        assert "`docmill doctor`" in said
        assert job_of(shell.store, job_id).state == "running"
        shell("cancel", job_id)
        shell.work(job_id)
        _, rest = watching.communicate(timeout=60)
    assert (watching.returncode, rest) == (4, "")


def test_a_job_that_has_ended_is_not_waited_for(shell: Shell) -> None:
    shell.texts("a")
    job_id = shell.job("oracle", "--collection", "inbox")
    shell.work(job_id)
    assert shell("watch", job_id).err == ""


def progress(**values: object) -> JobProgress:
    facts = dict.fromkeys(JobProgress.__slots__)
    numbers = {name: 0 for name in facts if name.startswith("n_")}
    return JobProgress(**facts | numbers | {"job_id": 7, "state": "running"} | values)  # type: ignore[arg-type]


def test_a_job_that_nobody_takes_up_is_worth_a_word_once() -> None:
    obstacles = Obstacles()
    assert obstacles.news(progress(), 0) == ""
    assert obstacles.news(progress(), STILL_SECONDS) == ""
    assert "no worker has worked on it for 10 s" in obstacles.news(progress(), STILL_SECONDS + 1)
    assert obstacles.news(progress(), STILL_SECONDS + 2) == ""


def test_work_on_a_long_chunk_is_no_standstill() -> None:
    obstacles = Obstacles()
    for seconds in range(0, 100, 5):
        assert obstacles.news(progress(n_chunks_leased=1), seconds) == ""
    assert obstacles.news(progress(state="paused"), 200) == ""


def test_another_cause_is_told_and_the_same_after_another_try_is_not() -> None:
    obstacles = Obstacles()
    assert "no disk" in obstacles.news(progress(fault="chunk 1 of 1 was put back once: no disk"), 0)
    assert obstacles.news(progress(fault="chunk 1 of 1 was put back 2 times: no disk"), 1) == ""
    assert "no\\x1b memory" in obstacles.news(
        progress(fault="chunk 1 of 1 was put back 3 times: no\x1b\nmemory"), 2
    )


@pytest.mark.parametrize("part", ["scheduler", "worker"])
def test_a_part_alone_says_who_starts_the_redis_that_it_misses(shell: Shell, part: str) -> None:
    with subprocess.Popen([*DOCMILL, part], stderr=PIPE, text=True) as started:
        assert started.stderr is not None
        assert "`docmill up` starts one with everything else" in started.stderr.readline()
        started.terminate()
        started.communicate(timeout=60)
