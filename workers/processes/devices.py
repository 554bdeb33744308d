"""What `--devices` means on this machine: a worker for each device, what pins it there, and why. Imports no torch: a
process that has touched CUDA can no longer choose."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from workers.processes import gpus
from workers.processes.gpus import Gpu, Listing

_GRAMMAR = re.compile(r"auto|cpu(?::(?P<n>\d+))?|cuda(?::(?P<which>\d+(?:,\d+)*))?", re.ASCII)


@dataclass(frozen=True)
class Device:
    """One device, and the environment that a worker on it must start with."""

    #: "cuda-0", "cpu-1": part of the worker's name.
    name: str
    #: What torch calls it inside the worker: "cuda:0", since the worker sees one GPU only; or "cpu".
    torch_name: str
    environment: dict[str, str] = field(default_factory=dict)
    #: Processors the worker may use; empty for all.
    processors: frozenset[int] = frozenset()
    #: For people: "NVIDIA H100 80GB HBM3", "2 processors".
    model: str = ""


@dataclass(frozen=True)
class Decision:
    """The devices that were asked for, the reason, and problems to look at."""

    asked: str
    devices: Sequence[Device]
    why: str
    problems: Sequence[str] = ()

    @property
    def log_level(self) -> int:
        return logging.WARNING if self.problems else logging.INFO

    def __str__(self) -> str:
        """One line, for the log."""
        names = ", ".join(device.name for device in self.devices)
        problems = "".join(f" PROBLEM: {problem}." for problem in self.problems)
        return f"{names} (--devices {self.asked}): {self.why}.{problems}"


def parse(text: str) -> list[Device]:
    """The devices of `decide`."""
    return list(decide(text).devices)


def decide(text: str) -> Decision:
    """Devices from "auto" (every GPU, else a worker a processor), "cpu:2" (two workers on the CPU), "cuda" (every
    GPU), "cuda:0,1" or a sum of these: "cuda:0+cpu:1". GPUs are those that CUDA_VISIBLE_DEVICES leaves, if it is
    set, and numbers count these. ValueError says what is wrong and what would do."""
    found: list[Device] = []
    whys: list[str] = []
    problems: list[str] = []
    for part in text.split("+"):
        match = _GRAMMAR.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"--devices {text!r}: write auto, cpu:2, cuda, cuda:0,1 or cuda:0+cpu:1")
        sort = part.strip().partition(":")[0]
        if sort == "cpu":
            found += _cpus(int(match["n"] or 1))
            whys.append("the CPU was asked for")
            continue
        listing = gpus.visible(os.environ)
        devices, why = _auto(listing) if sort == "auto" else (_cuda(listing, match["which"]), listing.why)
        found += devices
        whys.append(why)
        problems += listing.problems
    return Decision(text, found, "; ".join(dict.fromkeys(whys)), list(dict.fromkeys(problems)))


def _auto(listing: Listing) -> tuple[list[Device], str]:
    if listing.gpus:
        return [_gpu(gpu) for gpu in listing.gpus], listing.why
    devices = _cpus(len(os.sched_getaffinity(0)))
    instead = "the CPU instead, a worker a processor" if listing.problems else "the CPU, a worker a processor"
    return devices, f"{listing.why}: {instead}"


def _cuda(listing: Listing, which: str | None) -> list[Device]:
    """The GPUs of these numbers, or all. An error if there are none: who asks for cuda does not want the CPU."""
    numbered = _numbered(listing)
    if not numbered:
        reasons = "".join(f"; {problem}" for problem in listing.problems)
        raise ValueError(f"--devices cuda: there is no GPU for docmill here: {listing.why}{reasons}")
    wanted = [int(number) for number in which.split(",")] if which else list(numbered)
    missing = [str(number) for number in wanted if number not in numbered]
    if missing:
        have = ", ".join(f"{number} ({gpu.name})" for number, gpu in numbered.items())
        reasons = "".join(f"; {problem}" for problem in listing.problems)
        raise ValueError(
            f"--devices cuda:{which}: there is no {', '.join(missing)} here. There is {have}: {listing.why}{reasons}"
        )
    return [_gpu(numbered[number]) for number in wanted]


def _numbered(listing: Listing) -> dict[int, Gpu]:
    """By the numbers of `cuda:N`. With whole GPUs in their order they are nvidia-smi's, also where one is missing;
    else they count what is there, as CUDA does."""
    if listing.is_chosen or any(gpu.is_slice for gpu in listing.gpus):
        return dict(enumerate(listing.gpus))
    return {gpu.index: gpu for gpu in listing.gpus}


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
    model = f"{threads} processor{'' if len(share) == 1 else 's'}"
    return Device(f"cpu-{number}", "cpu", environment, share, model)


def _gpu(gpu: Gpu) -> Device:
    # By UUID and bus order: numbers differ between CUDA and nvidia-smi.
    pinned = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": gpu.uuid}
    return Device(gpu.name, "cuda:0", pinned, model=gpu.model)
