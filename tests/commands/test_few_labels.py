"""Few labels: neighbours by the vectors of a model that is named, or of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from docmill.commands.options import parse
from tests.commands.conftest import Shell
from tests.db.builders import job_of

TEXTS = (
    "the bank raised its interest rates",
    "a late goal won the cup",
    "은행이 금리를 올렸다",
    "골을 넣어 이겼다",
)
NEAREST = ("--model", "topics", "-p", "arch=nearest")


def trained(shell: Shell, *words: object) -> int:
    return shell.work(int(shell("train", *words, "--json").json["job"]))


def test_the_vectors_of_a_named_model_are_used(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts(*[f"{text} {i}" for i in range(10) for text in TEXTS], labels=["money", "sport"] * 20)
    trained(shell, "similarity", "--collection", "inbox", "--model", "vectors", "-p", "epochs=5")

    job_id = trained(shell, "classify", "--collection", "inbox", *NEAREST, "-p", "pretrained=vectors")

    assert job_of(shell.store, job_id).parameters["pretrained"] == "vectors@1"
    assert shell("status", job_id, "--json").json["n_ok"] == 40
    assert shell.done("classify", "--collection", "inbox", "--model", "topics")


def test_a_model_that_is_not_there_is_named_at_once(shell: Shell) -> None:
    shell.texts("a", labels=["x"])
    words = ("classify", "--collection", "inbox", *NEAREST, "-p", "pretrained=vectors")
    assert "there is no model 'vectors'" in shell("train", *words, status=1).err
    assert shell("status", "--json").json == []


def test_a_folder_is_named_as_seen_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    assert parse(["pretrained=model"], "train-classify") == {
        "pretrained": "model"
    }  # a folder of something else
    (tmp_path / "model" / "config.json").touch()
    assert parse(["pretrained=./elsewhere"], "summarize") == {"pretrained": str(tmp_path / "elsewhere")}
    assert parse(["pretrained=model"], "train-classify") == {"pretrained": str(tmp_path / "model")}
    assert parse(["pretrained=elsewhere", "query=model"], "summarize") == {
        "pretrained": "elsewhere",
        "query": "model",
    }
