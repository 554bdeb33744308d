"""Which processors this process may use, and how a few workers share them. Imports no torch.

Two things limit them: the affinity (sched_getaffinity, which a container's cpuset sets too), and the CPU quota of the
control group (`docker run --cpus 2`). A library that starts a thread for each processor it sees, and gets a fraction of
their time, spends it waiting for its own threads.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from workers.processes import linux


def usable() -> list[int]:
    """The processors that this process may use, neighbours beside each other: by NUMA node, then by core, so that a
    piece of this list shares memory and caches."""
    nodes = {processor: node for node, group in nodes_of_processors().items() for processor in group}
    return sorted(os.sched_getaffinity(0), key=lambda one: (nodes.get(one, 0), _core_of(one), one))


def cores() -> float:
    """How many processors' time this process gets: the number of usable ones, or the quota if that is less."""
    return min(float(len(os.sched_getaffinity(0))), quota())


def quota() -> float:
    """The CPU quota of this process's control group and of all above it, in processors; infinite without one."""
    return min((_quota_of(folder) for folder in linux.groups("cpu")), default=math.inf)


def shares(count: int) -> list[list[int]]:
    """The usable processors in `count` pieces of almost equal size; with more workers than processors, several have the
    same one."""
    processors = usable()
    if count >= len(processors):
        return [[processors[place % len(processors)]] for place in range(count)]
    bounds = [round(place * len(processors) / count) for place in range(count + 1)]
    return [processors[first:end] for first, end in pairwise(bounds)]


def threads(n_processors: int, n_workers: int) -> int:
    """How many threads a worker's libraries may start that has `n_processors`, beside `n_workers` - 1 others: no more
    than processors, than its share of the quota, or than OMP_NUM_THREADS, if somebody set that."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    asked = int(given) if re.fullmatch(r"[1-9][0-9]{0,3}", given) else math.inf
    return max(1, int(min(n_processors, cores() / max(1, n_workers), asked)))


def near_gpu(bus_id: str) -> list[int]:
    """The usable processors of the NUMA node of a GPU ("00000000:3B:00.0"); all usable ones where the machine has one
    node or does not tell."""
    processors = usable()
    if len(nodes_of_processors()) < 2:
        return processors
    # nvidia-smi writes eight digits of the domain, the kernel four.
    name = re.sub(r"^0000(?=[0-9a-f]{4}:)", "", bus_id.lower())
    near = set(_listed(linux.PCI / name / "local_cpulist"))
    return [processor for processor in processors if processor in near] or processors


def nodes_of_processors() -> dict[int, list[int]]:
    """The processors of each NUMA node."""
    found = {
        int(path.name.removeprefix("node")): _listed(path / "cpulist")
        for path in sorted((linux.SYS / "node").glob("node[0-9]*"))
    }
    return {node: processors for node, processors in found.items() if processors}


def _core_of(processor: int) -> tuple[int, int]:
    """(socket, core): hyperthreads of one core have the same."""
    topology = linux.SYS / "cpu" / f"cpu{processor}" / "topology"
    return _number(topology / "physical_package_id"), _number(topology / "core_id")


def _quota_of(folder: Path) -> float:
    """In processors, from cpu.max (version 2) or cpu.cfs_quota_us (version 1)."""
    words: Sequence[str] = linux.read(folder / "cpu.max").split()
    if not words:
        words = [linux.read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    try:
        allowed, period = (int(word) for word in words)
    except ValueError:
        return math.inf
    return allowed / period if allowed > 0 and period > 0 else math.inf


def _listed(path: Path) -> list[int]:
    """The numbers of "0-3,8-11"."""
    found: list[int] = []
    for part in filter(None, linux.read(path).strip().split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _number(path: Path) -> int:
    said = linux.read(path).strip()
    return int(said) if said.isdigit() else 0
