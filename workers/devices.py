"""Which devices a machine has, and the environment that pins a worker to one. Imports no torch: a process that
has touched CUDA can no longer choose."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Device:
    """One device, and what a worker's environment must say before its interpreter starts."""

    #: "cuda-0", "cpu-1": part of the worker's name.
    name: str
    #: What torch calls it inside the worker: "cuda:0", since the worker sees one GPU only; or "cpu".
    torch_name: str
    environment: dict[str, str] = field(default_factory=dict)
    #: Processors the worker may use; empty for all.
    processors: frozenset[int] = frozenset()


def parse(text: str) -> list[Device]:
    """Devices from "auto", "cpu:2" (two workers on the CPU), "cuda" (every GPU), "cuda:0,1" or a sum of
    these: "cuda:0+cpu:1". ValueError says what is wrong and what would do."""
    found: list[Device] = []
    for part in text.split("+"):
        match = re.fullmatch(r"(auto|cpu|cuda)(?::([\d,]+))?", part.strip())
        if match is None or (match[1] == "auto" and match[2]):
            raise ValueError(f"--devices {text!r}: write auto, cpu:2, cuda, cuda:0,1 or cuda:0+cpu:1")
        found += _devices(match[1], match[2])
    return found


def _devices(sort: str, which: str | None) -> list[Device]:
    if sort == "cpu":
        return _cpus(int((which or "1").replace(",", "")))
    gpus = _gpu_uuids()
    if sort == "auto":
        return [_gpu(i, uuid) for i, uuid in enumerate(gpus)] or _cpus(len(os.sched_getaffinity(0)))
    wanted = [int(number) for number in which.split(",") if number] if which else list(range(len(gpus)))
    missing = [number for number in wanted if number >= len(gpus)]
    if missing or not wanted:
        raise ValueError(f"--devices: there is no GPU {missing or ''} here: nvidia-smi -L lists {len(gpus)}")
    return [_gpu(number, gpus[number]) for number in wanted]


def _cpus(count: int) -> list[Device]:
    """`count` workers that share the processors evenly; their libraries start no more threads than that."""
    if not 1 <= count <= 256:
        raise ValueError(f"--devices cpu:{count}: choose 1 to 256 workers")
    processors = sorted(os.sched_getaffinity(0))
    return [
        _cpu(i, frozenset(processors[i % len(processors) :: count] or processors[:1])) for i in range(count)
    ]


def _cpu(number: int, share: frozenset[int]) -> Device:
    threads = str(max(1, len(share)))
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {"CUDA_VISIBLE_DEVICES": ""} | dict.fromkeys(names, threads)
    return Device(f"cpu-{number}", "cpu", environment, share)


def _gpu(number: int, uuid: str) -> Device:
    # By UUID and bus order: numbers differ between CUDA and nvidia-smi.
    return Device(
        f"cuda-{number}", "cuda:0", {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": uuid}
    )


def _gpu_uuids() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    said = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=False)
    return re.findall(r"UUID: (GPU-[0-9a-f-]+)", said.stdout)
