"""make bench-gpu: what it counts, and the whole of it with a CPU in place of the GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from benchmarks import gpu
from benchmarks.release import ROOT


def test_operations_and_bytes_are_counted_in_inference_mode_too() -> None:
    layer, rows = torch.nn.Linear(8, 16), torch.randn(4, 8)
    for mode in (torch.inference_mode, torch.enable_grad):
        with mode(), gpu.Counter() as counter:
            layer(rows)
        assert counter.operations == 2 * 4 * 8 * 16
        # It reads the rows, the weights and the bias, and writes the answer.
        assert counter.bytes == 4 * (4 * 8 + 8 * 16 + 16 + 4 * 16)


def test_views_move_no_bytes() -> None:
    rows = torch.randn(4, 8)
    with gpu.Counter() as counter:
        rows.T.reshape(8, 4)[2:]
    assert counter.bytes == 0


def test_without_a_gpu_it_says_how_to_try_it() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    done = _run()
    assert done.returncode == 2
    assert "--device cpu --small tries the benchmark without one" in done.stderr


@pytest.mark.long
def test_the_whole_of_it_on_a_cpu() -> None:
    done = _run("--device", "cpu", "--small", "--seconds", "0.01")
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout.splitlines()[-1])["figures"]
    for work in ("search", "Doc2Vec inference", "classification", "writing"):
        one = figures[f"{work}, float32"]
        assert one["units_per_second"] > 0
        assert one["operations_per_second"] > 0
        assert one["share_of_roof"] > 0


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *options],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
