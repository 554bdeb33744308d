"""What `--devices` means on this machine: a worker for each device, what pins it there, and why. Imports no torch: a
process that has touched CUDA can no longer choose."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from workers.processes import gpus, processors
from workers.processes.gpus import Gpu, Listing

MOST_CPUS = 256
#: Several workers share one GPU at most; more would each have too little memory for anything.
MOST_PER_DEVICE = 16
#: What torch, numpy and others read at their start: how many threads to make.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
#: Threads that wait for others sleep. By default they spin, and keep the processor from the very threads that they wait
#: for when several processes share it.
SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE"}

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
    #: Its share of the memory of its GPU, or of this machine: others use the rest.
    memory_share: float = 1.0


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


def parse(text: str, per_device: int = 1) -> list[Device]:
    """The devices of `decide`."""
    return list(decide(text, per_device).devices)


def decide(text: str, per_device: int = 1) -> Decision:
    """Devices from "auto" (every GPU, else a worker a processor), "cpu:2" (two workers on the CPU), "cuda" (every
    GPU), "cuda:0,1" or a sum of these: "cuda:0+cpu:1". GPUs are those that CUDA_VISIBLE_DEVICES leaves, if it is
    set, and numbers count these. Each GPU gets `per_device` workers, which share its memory. ValueError says what is
    wrong and what would do."""
    if not 1 <= per_device <= MOST_PER_DEVICE:
        raise ValueError(f"--per-device {per_device}: choose 1 to {MOST_PER_DEVICE} workers on each GPU")
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
    shared = _sharing(found, per_device)
    return Decision(text, shared, "; ".join(dict.fromkeys(whys)), list(dict.fromkeys(problems)))


def _sharing(found: Sequence[Device], per_device: int) -> list[Device]:
    """The devices with what each worker may use of this machine: threads, and its share of memory."""
    on_gpus = [device for device in found if device.torch_name != "cpu" for _ in range(per_device)]
    n_cpus = len(found) - len(on_gpus) // per_device
    return [
        _limited(device, len(on_gpus) + n_cpus, 1 / per_device if device.torch_name != "cpu" else 1 / n_cpus)
        for device in found
        for _ in range(per_device if device.torch_name != "cpu" else 1)
    ]


def _limited(device: Device, n_workers: int, memory_share: float) -> Device:
    """A GPU's worker shares the processors with all others here, a CPU's has some to itself."""
    n_own = len(device.processors) or len(processors.usable())
    is_cpu = device.torch_name == "cpu"
    n_threads = processors.threads(n_own if is_cpu else max(1, n_own // n_workers), n_workers)
    limits = dict.fromkeys(THREADS, str(n_threads)) | SLEEPING
    told = {"DOCMILL_DEVICE_MODEL": device.model, "DOCMILL_DEVICE_SHARE": f"{memory_share:.4f}"}
    return replace(device, environment=device.environment | limits | told, memory_share=memory_share)


def _auto(listing: Listing) -> tuple[list[Device], str]:
    if listing.gpus:
        return [_gpu(gpu) for gpu in listing.gpus], listing.why
    devices = _cpus(max(1, min(MOST_CPUS, math.ceil(processors.cores()))))
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
    if not 1 <= count <= MOST_CPUS:
        raise ValueError(f"--devices cpu:{count}: choose 1 to {MOST_CPUS} workers")
    return [_cpu(number, frozenset(share)) for number, share in enumerate(processors.shares(count))]


def _cpu(number: int, share: frozenset[int]) -> Device:
    model = f"{len(share)} processor{'' if len(share) == 1 else 's'}"
    return Device(f"cpu-{number}", "cpu", {"CUDA_VISIBLE_DEVICES": ""}, share, model)


def _gpu(gpu: Gpu) -> Device:
    # By UUID and bus order: numbers differ between CUDA and nvidia-smi.
    pinned = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": gpu.uuid}
    near = processors.near_gpu(gpu.bus_id)
    own = frozenset(near) if len(near) < len(processors.usable()) else frozenset()
    return Device(gpu.name, "cuda:0", pinned, own, gpu.model)
