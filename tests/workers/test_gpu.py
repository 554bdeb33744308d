"""On a real GPU: memory that runs out, a kernel that asserts, a GPU that is not there. Skipped without one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from db.documents import NewDocument
from db.store import Store
from tests.db.builders import add, sql, submit, the_chunk
from tests.kinds import Oracle
from workers.processes import probe
from workers.processes.process import Process
from workers.running import chunk_run, faults, memory, runners
from workers.settings import settings

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

#: What the tests leave to themselves of the GPU, and how they divide it.
SHARE = 1 / 16


def gigabytes(share: float) -> int:
    """Numbers of four bytes that take so much of this worker's memory."""
    return int(memory.total(settings()) * share / 4)


@pytest.fixture
def process(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    url = sqlite_store.url.render_as_string(hide_password=False)
    told = {"DATABASE_URL": url, "DEVICE": "cuda:0", "DEVICE_SHARE": str(SHARE), "DEVICE_MODEL": "a GPU"}
    for name, value in told.items():
        monkeypatch.setenv(f"DOCMILL_{name}", value)
    settings.cache_clear()
    runners.resident.cache_clear()
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(settings(), sqlite_store, crash_file)
        yield process
        process.watch_no_more()
    runners.resident.cache_clear()
    memory.release("cuda:0")
    torch.cuda.set_per_process_memory_fraction(1.0)


def run(process: Process, n: int, batch: int, number: float = 0.0) -> int:
    collection = add(process.store, [NewDocument(f"k{i}", "text", None, f"f:{i}") for i in range(n)])
    parameters = {"seconds": number, "batch": batch}
    job_id = submit(process.store, collection, per_chunk=100, parameters=parameters).job_id
    assert chunk_run.run(process, the_chunk(process.store, job_id).id) == f"{n} documents: {n} ok, 0 errors"
    return job_id


def hungry(monkeypatch: pytest.MonkeyPatch, own: float, a_document: float) -> list[int]:
    """Models that keep a share of the memory on the GPU, and take more for each document of a batch."""
    sizes: list[int] = []
    original_open, original_run = Oracle.__init__, Oracle.run

    def opened(self: Any, setup: Any) -> None:
        original_open(self, setup)
        self.weights = torch.empty(gigabytes(own), device=setup.device)

    def ran(self: Any, documents: Any) -> Any:
        sizes.append(len(documents))
        torch.empty(gigabytes(a_document) * len(documents), device="cuda:0").fill_(1)
        return original_run(self, documents)

    monkeypatch.setattr(Oracle, "__init__", opened)
    monkeypatch.setattr(Oracle, "run", ran)
    return sizes


def test_out_of_memory_for_real_halves_the_batch_and_is_remembered(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = hungry(monkeypatch, own=0.1, a_document=0.1)
    run(process, 16, batch=16)
    assert sizes == [16, 8, 8]
    assert [tuple(row) for row in sql(process.store, "SELECT device, most, failed FROM batch_size")] == [
        ("a GPU, 1/16 of it", 8, 16)
    ]
    process.learning.clear()
    sizes.clear()
    run(process, 16, batch=16)
    assert sizes == [8, 8], "a new process starts with what was learnt"


def test_a_model_that_is_not_in_use_leaves_before_a_batch_is_halved(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCMILL_MODEL_MEMORY_MB", "1000000")
    settings.cache_clear()
    sizes = hungry(monkeypatch, own=0.3, a_document=0.1)
    run(process, 1, batch=16)
    run(process, 6, batch=16, number=0.0001)
    assert sizes == [1, 6, 6], "6 documents beside two models do not fit; beside one they do"
    assert len(runners.resident()) == 1
    assert sql(process.store, "SELECT * FROM batch_size") == []


def test_models_stay_within_the_budget_by_what_torch_measures(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    hungry(monkeypatch, own=0.2, a_document=0.01)
    for number in range(4):
        run(process, 2, batch=2, number=number / 10_000)
    assert len(runners.resident()) == 2, "half of the memory holds two"
    assert runners.resident().n_bytes == pytest.approx(0.4 * memory.total(settings()), rel=0.02)
    assert torch.cuda.memory_allocated() == pytest.approx(runners.resident().n_bytes, rel=0.02)


def python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_kernel_that_asserts_is_the_programs_and_the_gpu_is_sound() -> None:
    said = python(
        "import torch\n"
        "values, places = torch.zeros(4, device='cuda:0'), torch.tensor([9], device='cuda:0')\n"
        "try:\n    print(values[places].cpu())\nexcept RuntimeError as error:\n    print(error)\n"
        "try:\n    print(torch.zeros(1, device='cuda:0'))\nexcept RuntimeError as error:\n    print('STICKY')\n"
    )
    error = RuntimeError(said.stdout.split("\n")[0])
    assert "device-side assert" in str(error)
    assert "STICKY" in said.stdout
    assert faults.is_sticky(error)
    assert faults.is_the_programs(error)
    assert not faults.is_device_fault(error)
    os.environ["DOCMILL_DEVICE"] = "cuda:0"
    try:
        assert probe.ask(lambda: None) == ""
    finally:
        del os.environ["DOCMILL_DEVICE"]


def test_a_gpu_that_is_not_there_is_at_fault(tmp_path: Path) -> None:
    said = python(
        "import torch\ntry:\n    torch.zeros(1, device='cuda:0')\nexcept RuntimeError as error:\n    print(error)\n",
        CUDA_VISIBLE_DEVICES="9",
    )
    error = RuntimeError(said.stdout.split("\n")[0])
    assert faults.is_device_fault(error), error
    gone = probe.Probe({"CUDA_VISIBLE_DEVICES": "9", "DOCMILL_DEVICE": "cuda:0"})
    while (verdict := gone.verdict()) is None:
        pass
    assert "CUDA" in verdict
