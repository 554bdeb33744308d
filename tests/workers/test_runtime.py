"""DOCMILL_RUNTIME: workers that compute by ONNX Runtime give the rows of workers that compute in torch."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import encoder_folders
from tests.faults.stack import Stack
from tests.servers import missing_redis, until
from workers.processes import runtime
from workers.processes.devices import Device
from workers.settings import Settings

PEOPLE, PLACES = ("Kim", "Lee", "Park", "Ann"), ("Busan", "Seoul", "Paris")
CPU, GPU = [Device("cpu-0", "cpu")], [Device("cuda-0", "cuda:0")]
COLUMNS = {
    "classification": ("rank", "label", "score"),
    "entity": ("rank", "start_char", "end_char", "label", "text", "score"),
    "embedding": ("vector",),
}


def marked() -> Iterator[dict[str, object]]:
    draw = random.Random(2)
    for number in range(60):
        who, where = draw.choice(PEOPLE), draw.choice(PLACES)
        text = f"{who} left {where} today. " + "The match was long. " * (number % 7)
        marks = [[0, len(who), "PER"], [len(who) + 6, len(who) + 6 + len(where), "LOC"]]
        topic = ("goal striker match", "bank rates money")[number % 2]
        label = ("sport", "money")[number % 2]
        yield {"key": f"k{number}", "text": f"{text}{topic}", "label": label, "entities": marks}


@pytest.fixture
def stack() -> Iterator[Stack]:
    if missing := missing_redis():
        pytest.skip(missing)
    environment = {"OMP_NUM_THREADS": "1", "DOCMILL_LEASE_SECONDS": "60"}
    kinds = "train-classify,train-entities,classify,entities,embed"
    stack = Stack("sqlite", n_workers=1, environment=environment, kinds=kinds)
    yield stack
    stack.stop()


def seen_through(stack: Stack, *words: str) -> int:
    """A job, when it has ended."""
    said = stack.run(*words, "--json", seconds=300)
    assert said.returncode == 0, said.stderr
    job: int = json.loads(said.stdout)["job"]
    until(lambda: stack.state(job) == "finished", f"the end of {words}", 500)
    return job


def rows(stack: Stack, table: str, job: int) -> list[tuple[Any, ...]]:
    columns = ", ".join(f"t.{name}" for name in COLUMNS[table])
    order = "d.key, t.rank" if "rank" in COLUMNS[table] else "d.key"
    query = (
        f"SELECT d.key, {columns} FROM {table} t JOIN document d ON d.id = t.document_id "
        f"WHERE t.job_id = :job ORDER BY {order}"
    )
    return [tuple(row) for row in stack.rows(query, job=job)]


def with_runtime(stack: Stack, name: str) -> None:
    """Another launcher, whose workers compute so."""
    if stack.launcher is not None:
        stack.launcher.terminate()
        stack.launcher.wait(60)
    stack.extra["DOCMILL_RUNTIME"] = name
    stack.start_launcher()


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_each_kind_has_the_rows_of_torch_by_a_worker_with_onnx_runtime(stack: Stack, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("transformers")
    stack.start()
    file = tmp_path / "marked.jsonl"
    file.write_text("\n".join(json.dumps(each) for each in marked()), encoding="utf-8")
    assert stack.run("add", str(file), "--collection", "marked", seconds=300).returncode == 0
    source = encoder_folders.sentence_transformer(tmp_path / "tiny")
    assert stack.run("models", "import", str(source), "--name", "tiny", seconds=300).returncode == 0
    on = ("--collection", "marked")
    seen_through(stack, "train", "classify", *on, "--model", "topics", "-p", "arch=lstm", "-p", "epochs=2")
    seen_through(
        stack, "train", "entities", *on, "--model", "names", "-p", "arch=bilstm-crf", "-p", "epochs=8"
    )
    asked = {
        "classification": ("submit", "classify", *on, "--model", "topics", "-p", "top_n=2"),
        "entity": ("submit", "entities", *on, "--model", "names"),
        "embedding": ("submit", "embed", *on, "--model", "tiny"),
    }
    found = {}
    for name in ("torch", "onnx"):
        if name == "onnx":
            with_runtime(stack, name)
        found[name] = {
            table: rows(stack, table, seen_through(stack, *words)) for table, words in asked.items()
        }

    # One folder of graphs for each of the three models.
    assert len([path for path in (stack.home / "graphs").iterdir() if path.is_dir()]) == 3
    for table, by_torch in found["torch"].items():
        by_onnx = found["onnx"][table]
        assert len(by_onnx) == len(by_torch) >= 60
        for one, other in zip(by_torch, by_onnx, strict=True):
            assert [v for v in one if isinstance(v, str | int)] == [
                v for v in other if isinstance(v, str | int)
            ]
            np.testing.assert_allclose(numbers(other), numbers(one), atol=1e-4)


def numbers(row: tuple[Any, ...]) -> np.ndarray:
    """The scores and vectors of a row."""
    parts = [
        np.frombuffer(v, "<f4") if isinstance(v, bytes) else [v] for v in row if isinstance(v, float | bytes)
    ]
    return np.concatenate([np.asarray(part, float) for part in parts])


def test_a_worker_for_onnx_runtime_without_its_packages_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime, "find_spec", lambda _name: None)
    with pytest.raises(ValueError, match=r"DOCMILL_RUNTIME is onnx, .*pip install 'docmill\[onnx\]'"):
        runtime.check(Settings(runtime="onnx"), CPU)
    runtime.check(Settings(), CPU)


def test_graphs_do_not_compute_in_16_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "find_spec", lambda name: name)
    asked = Settings(runtime="onnx", precision="bfloat16")
    with pytest.raises(ValueError, match=r"DOCMILL_PRECISION is bfloat16: set DOCMILL_PRECISION=auto"):
        runtime.check(asked, [*GPU, *CPU])
    runtime.check(asked, GPU)
    runtime.check(Settings(runtime="onnx", precision="float32"), CPU)


def test_gpus_compute_in_torch(tmp_path: Path) -> None:
    chosen = Settings(runtime="onnx", home=tmp_path)
    assert chosen.graphs == tmp_path / "graphs"
    assert chosen.model_copy(update={"device": "cuda:0"}).graphs is None
    assert Settings(home=tmp_path).graphs is None
