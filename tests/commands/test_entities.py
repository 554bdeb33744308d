"""`docmill submit entities` and `docmill train entities`, down to the views, on both databases."""

from __future__ import annotations

import json
from pathlib import Path

from tests.commands.conftest import Shell

TOKENS = (
    ("Kim B-PER\nlives O\nin O\nBusan B-LOC\n", "Lee B-PER\nleft O\nSeoul B-LOC\n"),
    ("Park B-PER\nmoved O\nto O\nParis B-LOC\n", "Choi B-PER\nlikes O\nDaejeon B-LOC\n"),
)


def rows(shell: Shell, query: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in shell("sql", query, "--format", "jsonl").out.splitlines()]


def test_rules_need_no_model(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("매출 1조 2천억 원, 2026년 11월 26일.", "Call 010-1234-5678.")

    shell.done("entities", "--collection", "inbox", "-p", "redact=phone")

    found = rows(shell, "SELECT label, text, normal, source FROM v_entities ORDER BY document_key, rank")
    assert [(row["label"], row["normal"]) for row in found] == [
        ("MONEY", "1200000000000 KRW"), ("DATE", "2026-11-26"), ("PHONE", "+821012345678"),
    ]  # fmt: skip
    hidden = rows(shell, "SELECT text, n_redacted FROM v_redacted ORDER BY document_key")
    assert hidden[1] == {"text": "Call [PHONE].", "n_redacted": 1}
    assert hidden[0]["n_redacted"] == 0


def test_a_model_is_trained_on_a_file_of_tokens_and_used(shell_on_both: Shell, tmp_path: Path) -> None:
    shell = shell_on_both
    file = tmp_path / "marked.conll"
    file.write_text("\n".join(each for pair in TOKENS * 8 for each in pair))
    shell("add", str(file), "--collection", "marked")
    job = shell(
        "train", "entities", "--collection", "marked", "--model", "people", "-p", "iterations=60", "--json"
    ).json["job"]
    shell.work(job)
    shell.texts("Kim left Busan")

    shell.done("entities", "--collection", "inbox", "--model", "people")

    found = rows(shell, "SELECT label, text, source, model FROM v_entities ORDER BY rank")
    assert [(row["label"], row["text"]) for row in found] == [("PER", "Kim"), ("LOC", "Busan")]
    assert {row["model"] for row in found} == {"people"}
    assert "macro F1" in shell("models", "list").out


def test_a_model_with_rules_only_is_refused_with_the_fix(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("Kim left Busan.")

    refused = shell(
        "submit", "entities", "--collection", "inbox", "--model", "people", "-p", "method=rules", status=2
    )

    assert refused.err.strip().endswith("omit --model, or write -p method=model")


def test_a_list_of_names_becomes_a_gazetteer_and_is_used_with_and_without_a_model(
    shell_on_both: Shell, tmp_path: Path
) -> None:
    shell = shell_on_both
    names = tmp_path / "names.csv"
    names.write_text("name,label\n한빛전자,ORG\n새벽 7,PRODUCT\n", encoding="utf-8")
    shell("add", str(names), "--collection", "names", "--text-field", "name", "--label-field", "label")
    shell.work(
        shell("train", "gazetteer", "--collection", "names", "--model", "products", "--json").json["job"]
    )
    assert "2 names, 2 labels" in shell("models", "list").out
    shell.texts("한빛전자는 새벽 7을 판다.")

    job = shell.done("entities", "--collection", "inbox", "-p", "gazetteer=products")

    query = "SELECT label, text, source FROM v_entities ORDER BY rank"
    found = [
        {"label": "ORG", "text": "한빛전자", "source": "gazetteer"},
        {"label": "PRODUCT", "text": "새벽 7", "source": "gazetteer"},
    ]
    assert rows(shell, query) == found
    assert '"products@1"' in str(rows(shell, f"SELECT parameters FROM job WHERE id = {job}")).replace(
        "'", '"'
    )

    shell.done("entities", "--collection", "inbox", "-p", f"gazetteer={names}")
    assert rows(shell, query) == found


def test_a_gazetteer_that_does_not_exist_is_refused_when_the_job_is_submitted(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts("Kim left Busan.")

    refused = shell("submit", "entities", "--collection", "inbox", "-p", "gazetteer=products", status=1)

    assert refused.err.strip().endswith("`docmill train gazetteer --model products` makes it")
