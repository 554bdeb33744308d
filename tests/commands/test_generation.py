"""`docmill submit generate`, down to the views, on both databases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from db.documents import NewDocument
from tests import language_models
from tests.commands.conftest import Shell
from tests.db.builders import add

pytest.importorskip("transformers")
# Two threads that wait for each other on a busy machine take minutes for what one does in seconds.
torch.set_num_threads(1)
SCHEMA = {
    "type": "object",
    "properties": {
        "topic": {"enum": ["money", "sport"]},
        "amount": {"type": "integer", "minimum": 0, "maximum": 99},
        "people": {"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 2},
        "sure": {"type": "boolean"},
    },
    "required": ["topic", "amount", "people", "sure"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return language_models.save(tmp_path_factory.mktemp("llama"), "llama")


def rows(shell: Shell, query: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in shell("sql", query, "--format", "jsonl").out.splitlines()]


def test_a_folder_writes_a_text_for_each_document(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    shell.texts("the bank raised rates", "은행이 금리를 올렸다", " ")

    job = shell.done(
        "generate",
        "--collection",
        "inbox",
        "--model",
        folder,
        "-p",
        "prompt=Summarize: {text}",
        "-p",
        "max_tokens=6",
    )

    found = rows(
        shell, "SELECT document_key, text, finish_reason, n_tokens, model FROM v_generation ORDER BY 1"
    )
    assert [(row["document_key"], row["finish_reason"], row["n_tokens"]) for row in found] == [
        ("k0", "length", 6), ("k1", "length", 6),
    ]  # fmt: skip
    assert all(row["text"] and row["model"] == str(folder) for row in found)
    assert "EMPTY_TEXT" in shell("results", job, "--errors").out
    assert "text" in shell("results", job).out


def test_the_prompt_has_fields_of_the_metadata_and_a_missing_one_is_named(
    shell_on_both: Shell, folder: Path, tmp_path: Path
) -> None:
    shell = shell_on_both
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("{meta.company.name} ({key}): {text}", encoding="utf-8")
    documents = [
        NewDocument("a", "the bank", None, "f:1", meta={"company": {"name": "X"}}),
        NewDocument("b", "the bank", None, "f:2", meta={"company": "Y"}),
    ]
    add(shell.store, documents, "inbox")

    job = shell.done(
        "generate",
        "--collection",
        "inbox",
        "--model",
        folder,
        "-p",
        f"prompt=@{prompt}",
        "-p",
        "max_tokens=2",
    )

    assert len(rows(shell, "SELECT 1 FROM v_generation")) == 1
    errors = shell("results", job, "--errors").out
    assert "MISSING_FIELD" in errors
    assert "the prompt needs {meta.company.name}, which this document lacks" in " ".join(errors.split())


def test_an_answer_with_a_schema_is_json_and_typed_values(
    shell_on_both: Shell, folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("llguidance")
    shell = shell_on_both
    shell.texts("the bank raised rates", "은행이 금리를 올렸다")
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(SCHEMA))

    shell.done(
        "generate", "--collection", "inbox", "--model", folder, "-p", f"schema={file}", "-p", "max_tokens=60",
        "-p", "temperature=1",
    )  # fmt: skip

    for row in rows(shell, "SELECT text FROM v_generation"):
        assert set(json.loads(str(row["text"]))) == {"topic", "amount", "people", "sure"}
    sure = rows(shell, "SELECT type, boolean FROM v_generation_fields WHERE path = 'sure'")
    assert [row["type"] for row in sure] == ["boolean", "boolean"]
    amounts = rows(shell, "SELECT number FROM v_generation_fields WHERE path = 'amount' AND number <= 99")
    assert len(amounts) == 2


def test_examples_of_another_collection_are_shown(shell_on_both: Shell, folder: Path) -> None:
    shell = shell_on_both
    shell.texts("a goal fell", "rates rose", collection="known", labels=("sport", "money"))
    shell.texts("the bank raised rates")

    job = shell.done(
        "generate", "--collection", "inbox", "--model", folder, "-p", "prompt={examples}{text}\nLabel:",
        "-p", "examples=1", "-p", "labels_from=known", "-p", "max_tokens=2",
    )  # fmt: skip

    [row] = rows(shell, "SELECT n_prompt_tokens FROM v_generation")
    assert int(str(row["n_prompt_tokens"])) > 40
    parameters = rows(shell, f"SELECT parameters FROM job WHERE id = {job}")[0]["parameters"]
    parameters = json.loads(parameters) if isinstance(parameters, str) else parameters
    assert isinstance(parameters, dict)
    assert parameters["labels_from"].startswith("known@")


def test_a_model_trained_on_pairs_answers(shell: Shell, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    lines = [
        {"id": n, "text": f"how is item {n % 4} doing", "answer": f"item {n % 4} is fine"} for n in range(40)
    ]
    pairs.write_text("\n".join(map(json.dumps, lines)))
    trained = shell(
        "train", "summarizer", "--collection", "dialogue", "--model", "replies", "--pairs", pairs, "--label-field",
        "answer", "-p", "epochs=1", "-p", "width=16", "--json",
    )  # fmt: skip
    shell.work(int(json.loads(trained.out.splitlines()[-1])["job"]) if trained.out else 1)
    shell.texts("how is item 2 doing")

    shell.done("generate", "--collection", "inbox", "--model", "replies", "-p", "max_tokens=5")

    [row] = rows(shell, "SELECT finish_reason, n_tokens, model, model_version FROM v_generation")
    assert (row["model"], row["model_version"]) == ("replies", 1)
    assert int(str(row["n_tokens"])) <= 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "or name a folder: --model FOLDER"),
        (("prompt={titel}",), "there is no field {titel}"),
        (("prompt={text",), "write {{ and }} for braces that are no field"),
        (("prompt={examples}{text}",), "write {examples} in prompt and how many there are in examples"),
        (('schema={"type": "string", "pattern": "a"}',), "'pattern' is not supported with type string"),
        (("model=gpt2",), "write --model NAME"),
        (("server=127.0.0.1:8000", "model=x"), "write one such as http://127.0.0.1:8000/v1"),
        (("stop=[1]",), "every entry of the array must be a string"),
        (("prompt=@nowhere.txt",), "cannot read the file 'nowhere.txt'"),
    ],
)
def test_what_cannot_be_done_is_refused_when_it_is_submitted(
    shell: Shell, words: tuple[str, ...], said: str
) -> None:
    shell.texts("the bank")

    refused = shell(
        "submit", "generate", "--collection", "inbox", *[w for one in words for w in ("-p", one)], status=None
    )

    assert refused.status in (1, 2)

    assert said in " ".join(refused.err.split())
