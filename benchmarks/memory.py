"""The memory of a worker and of a scheduler over many chunks: it must not grow.

    python -m benchmarks.memory [--chunks 10000]

Real processes work through jobs of small chunks. The documents are in the search index before. After a warm-up of a
tenth, what each process has for itself (USS) is sampled; the median of the last quarter of the samples is compared with
that of the first quarter.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import time
from typing import Any

import psutil

from benchmarks import report, simulate
from benchmarks.queue import background
from benchmarks.simulation.light_worker import KIND

PER_CHUNK = 10
SAMPLES = 40
#: More growth than this is a leak.
MOST_GROWTH = 0.02


def processes(scheduler: int, launcher: int) -> dict[str, int]:
    """The processes that live through the run, by name: the launcher, its Celery process, and that one's child."""
    found = {"scheduler": scheduler, "launcher": launcher}
    for parent in psutil.Process(launcher).children():
        for child in parent.children():
            if any("spawn_main" in word for word in child.cmdline()):
                found |= {"Celery process": parent.pid, "worker process": child.pid}
    return found


def uss(pid: int) -> int:
    """The bytes that are freed if the process ends."""
    return int(psutil.Process(pid).memory_full_info().uss)


def watch(stack: simulate.Stack, scheduler: int, launcher: int, n_chunks: int) -> dict[str, list[int]]:
    """Samples of each process, from a tenth of the chunks to the last."""
    start = simulate._closed(stack).n_chunks
    pids, samples = processes(scheduler, launcher), 0
    found: dict[str, list[int]] = {name: [] for name in pids}
    first, step = n_chunks / 10, n_chunks * 0.9 / SAMPLES
    while samples < SAMPLES:
        done = simulate._closed(stack).n_chunks - start
        if done < first + samples * step:
            time.sleep(0.2)
            continue
        samples += 1
        for name, pid in pids.items():
            found[name].append(uss(pid))
        if pids != processes(scheduler, launcher):
            raise SystemExit("a process has ended, or was replaced")
    return found


def growth(samples: list[int]) -> float:
    """How much larger the last quarter is than the first."""
    quarter = max(1, len(samples) // 4)
    return statistics.median(samples[-quarter:]) / statistics.median(samples[:quarter]) - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--chunks", type=int, default=10_000)
    options = parser.parse_args()
    print(f"{options.chunks:,} chunks on {report.machine()}")
    command = [sys.executable, "-m", "docmill.cli", "worker", "--devices", "cpu:1", "--kinds", KIND]
    with simulate.started() as stack, contextlib.ExitStack() as running:
        environment = simulate._environment(stack, 1)
        scheduler = running.enter_context(simulate._scheduler(stack, environment))
        launcher = running.enter_context(background("worker", command, environment, stack.home))
        jobs = simulate.Jobs(stack, PER_CHUNK, ahead=2_000)
        simulate._await_first(stack)
        jobs.start()
        started = time.monotonic()
        samples = watch(stack, scheduler.pid, launcher.pid, options.chunks)
        seconds = time.monotonic() - started
        jobs.stopped.set()
        jobs.join()
    _show(samples, options.chunks, seconds)


def _show(samples: dict[str, list[int]], n_chunks: int, seconds: float) -> None:
    mib = 2**20
    rows: list[list[Any]] = [
        [name, found[0] / mib, found[-1] / mib, max(found) / mib, f"{100 * growth(found):+.2f} %"]
        for name, found in samples.items()
    ]
    report.table(
        f"Memory over {n_chunks:,} chunks, MiB", ["process", "first", "last", "most", "growth"], rows
    )
    bars = {
        f"growth of the {name}": {"value": growth(found), "at_most": MOST_GROWTH}
        for name, found in samples.items()
    }
    report.end(
        {"machine": report.machine(), "chunks": n_chunks, "seconds": seconds, "samples": samples}, bars
    )


if __name__ == "__main__":
    main()
