"""Training a summarizer and writing with it, by the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.conftest import Shell


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Sixty pairs, one of which is broken."""
    records = [
        {"id": f"r{n}", "text": f"회의 {n % 7} 주제 다리 {n % 5} 끝 오늘", "summary": f"다리 {n % 5}"}
        for n in range(60)
    ]
    path = tmp_path / "pairs.jsonl"
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("\n".join([*lines, "{broken"]), encoding="utf-8")
    return path


def test_pairs_are_added_trained_on_and_the_model_writes(shell: Shell, pairs: Path) -> None:
    said = shell(
        "train", "summarizer", "--collection", "bridges", "--pairs", pairs, "--model", "headlines",
        "-p", "epochs=1", "-p", "width=16", "--json",
    )  # fmt: skip
    assert "60 new" in said.err
    assert "NOT_JSON" in said.err
    shell.work(said.json["job"])

    figures = shell("models", "show", "headlines", "--json").json[0]
    assert {"rouge_l", "lead_rouge_l", "training_loss"} <= set(figures["metrics"])
    job = shell.done(
        "summarize", "--collection", "bridges", "-p", "method=abstractive", "--model", "headlines"
    )
    rows = shell("results", job, "--format", "jsonl").out.splitlines()
    assert len(rows) == 60
    assert json.loads(rows[0])["method"] == "abstractive"


def test_a_model_is_asked_for_only_by_the_method_that_has_one(shell: Shell) -> None:
    shell.texts("One sentence.")

    refused = shell(
        "submit", "summarize", "--collection", "inbox", "--model", "x", "-p", "method=lead", status=2
    )
    unknown = shell("submit", "summarize", "--collection", "inbox", "--model", "x", status=1)
    missing = shell("submit", "summarize", "--collection", "inbox", "-p", "method=abstractive", status=1)

    assert "omit --model, or write -p method=abstractive" in refused.err
    assert "there is no model 'x'" in unknown.err
    assert "train-summarizer" in missing.err or "train summarizer" in missing.err
    shell.done("summarize", "--collection", "inbox")


def test_pairs_are_for_summarizers_only(shell: Shell, pairs: Path) -> None:
    said = shell("train", "classify", "--collection", "inbox", "--pairs", pairs, status=2)

    assert "--pairs" in said.err
