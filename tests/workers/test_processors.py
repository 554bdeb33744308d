"""Which processors a worker gets: within the affinity and the quota, neighbours together, no more threads than that.

The kernel's files are a tree of the test's own."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from workers.processes import devices, linux, processors

Machine = Callable[..., None]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """`machine(8, nodes=..., quota=...)` makes the kernel tell of such a machine."""
    for name in ("PROC", "CGROUP", "SYS", "PCI"):
        monkeypatch.setattr(linux, name, tmp_path / name)
    for name in devices.THREADS:
        monkeypatch.delenv(name, raising=False)

    def write(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    def make(
        n: int,
        nodes: Sequence[str] = (),
        cores: Sequence[tuple[int, int]] = (),
        groups: str = "0::/\n",
        limits: dict[str, str] | None = None,
    ) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(n)))
        write("PROC/self/cgroup", groups)
        write("PROC/meminfo", "MemTotal:       1000000 kB\nMemFree: 5 kB\n")
        for number, group in enumerate(nodes):
            write(f"SYS/node/node{number}/cpulist", f"{group}\n")
        for number, (socket, core) in enumerate(cores):
            write(f"SYS/cpu/cpu{number}/topology/physical_package_id", f"{socket}\n")
            write(f"SYS/cpu/cpu{number}/topology/core_id", f"{core}\n")
        for path, text in (limits or {}).items():
            write(f"CGROUP/{path}", text)

    return make


def shares(text: str) -> list[list[int]]:
    return [sorted(device.processors) for device in devices.parse(text)]


def threads(text: str, per_device: int = 1) -> list[str]:
    return [device.environment["OMP_NUM_THREADS"] for device in devices.parse(text, per_device)]


def test_workers_have_neighbouring_processors_of_one_numa_node(machine: Machine) -> None:
    machine(8, nodes=["0,2,4,6", "1,3,5,7"])
    assert shares("cpu:2") == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert shares("cpu:4") == [[0, 2], [4, 6], [1, 3], [5, 7]]


def test_hyperthreads_of_a_core_go_to_one_worker(machine: Machine) -> None:
    machine(4, cores=[(0, 0), (0, 1), (0, 0), (0, 1)])
    assert shares("cpu:2") == [[0, 2], [1, 3]]


def test_every_processor_is_used_once_and_the_shares_are_even(machine: Machine) -> None:
    machine(7)
    found = shares("cpu:3")
    assert sorted(processor for share in found for processor in share) == list(range(7))
    assert {len(share) for share in found} == {2, 3}
    assert shares("cpu:9")[7:] == [[0], [1]]


@pytest.mark.parametrize(
    ("groups", "limits", "cores"),
    [
        ("0::/\n", {}, 16.0),
        ("0::/\n", {"cpu.max": "max 100000"}, 16.0),
        ("0::/\n", {"cpu.max": "250000 100000"}, 2.5),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3.0),
        (
            "4:cpu,cpuacct:/x\n",
            {"cpu/x/cpu.cfs_quota_us": "400000", "cpu/x/cpu.cfs_period_us": "100000"},
            4.0,
        ),
        ("4:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, 16.0),
        ("0::/../../elsewhere\n", {"cpu.max": "200000 100000"}, 2.0),
        ("", {"cpu.max": "nonsense"}, 16.0),
    ],
)
def test_the_quota_of_the_control_group_counts(
    machine: Machine, groups: str, limits: dict[str, str], cores: float
) -> None:
    machine(16, groups=groups, limits=limits)
    assert processors.cores() == cores


def test_a_container_with_a_quota_gets_so_many_workers_and_threads(machine: Machine) -> None:
    """`docker run --cpus 2` on 16 processors: 16 workers, or 16 threads, would wait for each other."""
    machine(16, limits={"cpu.max": "200000 100000"})
    assert len(shares("auto")) == 2
    assert threads("auto") == ["1", "1"]
    assert threads("cpu:1") == ["2"]


def test_threads_add_up_to_no_more_than_the_processors(machine: Machine) -> None:
    machine(8)
    for n in range(1, 12):
        assert sum(map(int, threads(f"cpu:{n}"))) <= max(8, n)
    assert threads("cpu:3") == ["2", "2", "2"]


def test_threads_that_wait_sleep(machine: Machine) -> None:
    machine(2)
    assert {device.environment["OMP_WAIT_POLICY"] for device in devices.parse("cpu:2")} == {"PASSIVE"}


def test_fewer_threads_can_be_asked_for(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(8)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads("cpu:2") == ["2", "2"]
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    assert threads("cpu:2") == ["4", "4"]
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    assert threads("cpu:2") == ["4", "4"]


def test_memory_is_the_least_of_machine_and_groups(machine: Machine) -> None:
    machine(2)
    assert linux.memory_bytes() == 1_024_000_000
    machine(2, limits={"memory.max": "500000000"})
    assert linux.memory_bytes() == 500_000_000
    machine(2, limits={"memory.max": "max"})
    assert linux.memory_bytes() == 1_024_000_000


def test_a_gpu_gets_the_processors_of_its_node(machine: Machine, tmp_path: Path) -> None:
    machine(8, nodes=["0-3", "4-7"])
    folder = tmp_path / "PCI" / "0000:3b:00.0"
    folder.mkdir(parents=True)
    (folder / "local_cpulist").write_text("4-7\n")
    assert processors.near_gpu("00000000:3B:00.0") == [4, 5, 6, 7]
    assert processors.near_gpu("00000000:99:00.0") == list(range(8)), "unknown: all of them"


def test_without_limits_there_is_no_quota(machine: Machine) -> None:
    machine(4)
    assert math.isinf(processors.quota())
