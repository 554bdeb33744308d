"""A model in the shadow: it labels beside the champion, its labels are shown to nobody, the agreement is a figure."""

from __future__ import annotations

import pytest

from tests.commands.conftest import Shell
from tests.db.builders import sql

AGREEMENT = "SELECT n_documents, n_agreeing FROM v_shadow_agreement WHERE job_id = {}"
TEXTS = [
    "the striker scored a goal",
    "a penalty in the cup match",
    "은행이 금리를 올렸다",
    "주가와 채권이 내렸다",
]


def train(shell: Shell, collection: str, labels: list[str], model: str = "topics") -> None:
    shell.texts(
        *[f"{text} {i}" for i in range(8) for text in TEXTS], labels=labels * 8, collection=collection
    )
    said = shell(
        "train", "classify", "--collection", collection, "--model", model, "-p", "gate=none", "--json"
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


def test_the_labels_in_use_are_those_of_other_versions_of_the_same_model(shell_on_both: Shell) -> None:
    shell = shell_on_both
    train(shell, "one", ["sport", "sport", "money", "money"])
    train(shell, "two", ["sport", "sport", "money", "sport"])
    train(shell, "three", ["warm", "cold", "warm", "cold"], model="moods")
    shell("models", "promote", "topics@1")
    shell.texts(*TEXTS)
    shadow = shell.done("shadow-classify", "--collection", "inbox", "--model", "topics@2")
    assert sql(shell.store, AGREEMENT.format(shadow)) == [], "no label is in use yet"

    shell.done("classify", "--collection", "inbox", "--model", "topics")
    shell.done("classify", "--collection", "inbox", "--model", "moods")
    assert sql(shell.store, AGREEMENT.format(shadow)) == [(4, 3)], (
        "another model's labels are no labels of this one"
    )

    shell("models", "promote", "topics@2")
    shell.done("classify", "--collection", "inbox", "--model", "topics")
    assert sql(shell.store, AGREEMENT.format(shadow)) == [(4, 3)], "a version agrees with itself"
