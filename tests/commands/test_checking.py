"""repro and verify: documents run again in the foreground, against what is stored, writing nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from db.store import Store
from tests.commands.conftest import Shell
from tests.db.builders import sql
from tests.kinds import answer

SUBMIT = ("oracle", "--collection", "inbox")
ROOT = Path(__file__).parents[2]


def _everything(store: Store) -> list[object]:
    tables = (
        "job",
        "chunk",
        "outcome",
        "classification",
        "summary",
        "document_vector",
        "neighbour",
        "release",
    )
    return [sql(store, f"SELECT * FROM {table}") for table in tables]


def test_repro_prints_the_result_and_writes_nothing(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a", "b")
    job_id = shell.done(*SUBMIT)
    before = _everything(shell.store)
    said = shell("repro", job_id, "k1")
    assert answer("b") in said.out
    assert shell("repro", job_id, "k1", "--json").json[0]["label"] == answer("b")
    assert _everything(shell.store) == before


def test_repro_takes_the_version_that_the_job_had(shell: Shell) -> None:
    shell.texts("old")
    job_id = shell.done(*SUBMIT)
    shell.texts("new")
    assert shell("repro", job_id, "k0", "--json").json[0]["label"] == answer("old")


def test_repro_shows_the_traceback_of_an_error(shell: Shell) -> None:
    shell.texts("!raise", "")
    job_id = shell.job(*SUBMIT)
    said = shell("repro", job_id, "k0", status=3)
    assert "in misbehave" in said.err
    assert "RUNNER_ERROR: ValueError: asked to raise" in said.out
    assert "EMPTY_TEXT: the document is blank" in shell("repro", job_id, "k1", status=3).out


@pytest.mark.parametrize(
    ("text", "status", "words"), [("!crash", -11, "Segmentation fault"), ("!hang", 1, "Timeout")]
)
def test_repro_shows_where_a_document_crashes_or_hangs(
    shell: Shell, text: str, status: int, words: str
) -> None:
    shell.texts(text)
    job_id = shell.job(*SUBMIT)
    command = [sys.executable, "-m", "docmill.cli", "repro", str(job_id), "k0", "--timeout", "1"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == status
    assert words in said.stderr
    assert "in misbehave" in said.stderr


def test_repro_of_what_is_not_there(shell: Shell) -> None:
    shell.texts("a", labels=["x"])
    job_id = shell.job(*SUBMIT)
    assert "job 1 has no document 'k9'" in shell("repro", job_id, "k9", status=1).err
    training = shell("train", "similarity", "--collection", "inbox", "--json").json["job"]
    assert "trains a model" in shell("repro", training, "k0", status=2).err
    shell.work(training)
    assert "trains a model" in shell("verify", training, status=2).err


def test_verify_finds_nothing_where_nothing_changed(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("a", "", "!raise", "c")
    job_id = shell.job(*SUBMIT)
    assert "it can be verified once it has ended" in shell("verify", job_id, status=1).err
    shell.work(job_id)
    before = _everything(shell.store)
    said = shell("verify", job_id, "--json").json
    assert said == {
        "job": job_id,
        "n_checked": 4,
        "n_left_out": 0,
        "n_pruned": 0,
        "differences": [],
        "tolerance": 0.001,
    }
    assert shell("verify", job_id, "--sample", 2, "--json").json["n_checked"] == 2
    assert _everything(shell.store) == before


def test_verify_leaves_out_what_would_kill_it(shell: Shell) -> None:
    shell.texts("a", "!crash")
    job_id = shell.poison(*SUBMIT, key=1)
    said = shell("verify", job_id)
    assert "1 documents recomputed, 0 differ, 1 left out" in said.out


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE classification SET label = 'wrong' WHERE document_id = 2 RETURNING 1", "label"),
        ("UPDATE classification SET score = 0.5 WHERE document_id = 2 RETURNING 1", "score"),
        ("DELETE FROM classification WHERE document_id = 2 RETURNING 1", "rows"),
    ],
)
def test_verify_names_what_differs(shell: Shell, change: str, what: str) -> None:
    shell.texts("a", "b", "c")
    job_id = shell.done(*SUBMIT)
    sql(shell.store, change)
    [found] = shell("verify", job_id, "--json", status=1).json["differences"]
    assert (found["document_key"], found["table"], found["what"]) == ("k1", "classification", what)
    assert "3 documents recomputed, 1 differ" in shell("verify", job_id, status=1).out


def test_vectors_and_neighbours_are_verified_as_of_the_jobs_time(shell: Shell) -> None:
    topics = ("서울 강 다리 물", "profit loss market share", "cat dog bird fish")
    shell.texts(*[f"{topic} {i % 4} {topic}" for i in range(8) for topic in topics])
    train = shell(
        "train", "similarity", "--collection", "inbox", "-p", "epochs=5", "-p", "vector_size=8", "--json"
    )
    shell.work(train.json["job"])
    job_id = shell.done("similarity", "--collection", "inbox", "-p", "k=3")
    shell.texts(*[f"cat dog {i}" for i in range(30)])
    shell.done("similarity", "--collection", "inbox", "-p", "k=3")
    assert shell("verify", job_id, "--json").json["differences"] == []
    wrong = "SET neighbour_id = document_id, score = 0.1"
    where = "WHERE job_id = :j AND rank = 2 AND document_id = 5"
    sql(shell.store, f"UPDATE neighbour {wrong} {where} RETURNING 1", j=job_id)
    assert {d["document_key"] for d in shell("verify", job_id, "--json", status=1).json["differences"]} == {
        "k4"
    }
    repeated = shell("repro", job_id, "k0", "--json", status=0)
    assert {row["table"] for row in repeated.json} == {"document_vector", "neighbour", "neighbour_term"}


def test_a_missing_model_is_named(shell: Shell) -> None:
    shell.texts(
        *[f"good {i}" for i in range(10)], *[f"bad {i}" for i in range(10)], labels=["g"] * 10 + ["b"] * 10
    )
    shell.work(shell("train", "classify", "--collection", "inbox", "--json").json["job"])
    job_id = shell.done("classify", "--collection", "inbox")
    manifest = next(Path(shell.process.settings.models_path).rglob("manifest.json"))
    manifest.unlink()
    for command in (("repro", job_id, "k0"), ("verify", job_id)):
        assert "manifest.json is missing" in shell(*command, status=1).err
    said = shell("doctor", status=1)
    assert "manifest.json is missing" in said.out
