"""A model in the shadow: it labels beside the champion, its labels are shown to nobody, the agreement is a figure."""

from __future__ import annotations

import pytest

from tests.commands.conftest import Shell
from tests.db.making import sql

TEXTS = [
    "the striker scored a goal",
    "a penalty in the cup match",
    "은행이 금리를 올렸다",
    "주가와 채권이 내렸다",
]


def train(shell: Shell, collection: str, labels: list[str]) -> None:
    shell.texts(
        *[f"{text} {i}" for i in range(8) for text in TEXTS], labels=labels * 8, collection=collection
    )
    said = shell(
        "train", "classify", "--collection", collection, "--model", "topics", "-p", "gate=none", "--json"
    )
    shell.work(int(said.json["job"]))


def test_a_model_in_the_shadow_is_compared_and_not_shown(shell_on_both: Shell) -> None:
    shell = shell_on_both
    train(shell, "one", ["sport", "sport", "money", "money"])
    train(shell, "two", ["sport", "sport", "money", "sport"])
    shell("models", "promote", "topics@2", "--alias", "candidate")
    shell("models", "promote", "topics@1")
    shell.texts(*TEXTS)
    shell.done("classify", "--collection", "inbox", "--model", "topics")
    job_id = shell.done("shadow-classify", "--collection", "inbox", "--model", "topics@candidate")

    shown = "SELECT label FROM v_latest_label WHERE collection = 'inbox' ORDER BY document_key"
    assert sql(shell.store, shown) == [("sport",), ("sport",), ("money",), ("money",)]
    [row] = sql(shell.store, "SELECT job_id, collection, model, model_version, n_documents, n_agreeing, agreement "
                             "FROM v_shadow_agreement")  # fmt: skip
    assert tuple(row)[:6] == (job_id, "inbox", "topics", 2, 4, 3)
    assert float(row[6]) == pytest.approx(0.75)
    labels = shell("results", job_id, "--format", "csv").out
    assert "document_key,label,score" in labels
