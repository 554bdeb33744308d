"""Devices are parsed without torch, and each worker is pinned before its interpreter starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workers import devices

TWO_GPUS = """\
GPU 0: NVIDIA H200 (UUID: GPU-11111111-2222-3333-4444-555555555555)
GPU 1: NVIDIA H200 (UUID: GPU-66666666-7777-8888-9999-000000000000)
"""


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose nvidia-smi lists two GPUs."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{TWO_GPUS}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_gpu_uuids", list)


def test_cpu_workers_share_the_processors_evenly() -> None:
    found = devices.parse("cpu:2")
    assert [device.name for device in found] == ["cpu-0", "cpu-1"]
    assert {device.torch_name for device in found} == {"cpu"}
    every = os.sched_getaffinity(0)
    if len(every) >= 2:
        assert found[0].processors.isdisjoint(found[1].processors)
        assert found[0].processors | found[1].processors == every
    assert all(int(device.environment["OMP_NUM_THREADS"]) >= 1 for device in found)
    assert all(device.environment["CUDA_VISIBLE_DEVICES"] == "" for device in found)


def test_more_workers_than_processors_have_one_each() -> None:
    found = devices.parse("cpu:9")
    assert len({device.name for device in found}) == 9
    assert all(device.processors for device in found)


@pytest.mark.usefixtures("two_gpus")
def test_each_gpu_worker_sees_its_gpu_alone_as_cuda_0() -> None:
    first, second = devices.parse("auto")
    assert (first.name, second.name) == ("cuda-0", "cuda-1")
    assert first.torch_name == second.torch_name == "cuda:0"
    assert second.environment["CUDA_VISIBLE_DEVICES"] == "GPU-66666666-7777-8888-9999-000000000000"
    assert second.environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


@pytest.mark.usefixtures("two_gpus")
def test_devices_can_be_chosen_and_added_up() -> None:
    assert [device.name for device in devices.parse("cuda:1")] == ["cuda-1"]
    assert [device.name for device in devices.parse("cuda:1,0+cpu:1")] == ["cuda-1", "cuda-0", "cpu-0"]
    assert len(devices.parse("cuda")) == 2


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"\[2\].*lists 2"):
        devices.parse("cuda:2")


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused() -> None:
    assert {device.torch_name for device in devices.parse("auto")} == {"cpu"}
    with pytest.raises(ValueError, match="no GPU"):
        devices.parse("cuda")


@pytest.mark.parametrize("text", ["", "gpu", "cpu:", "cpu:x", "auto:1", "cuda:a", "cpu:0", "cpu:1000"])
def test_nonsense_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="--devices"):
        devices.parse(text)
