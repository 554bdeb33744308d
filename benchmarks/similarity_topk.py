"""Exact nearest neighbours beside faiss's flat index (if installed): every vector's 10 nearest, in the same threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import report
from nlp_tasks.similarity.nearest import Index

K = 10
DIMENSIONS = 128
#: Vectors searched, and how many of them are asked for. With fewer than 1,000 queries at a time faiss 1.15 takes
#: another way that is ten times slower, which would flatter us: both get 2,048.
SIZES = {100_000: 2048, 1_000_000: 2048}
COLUMNS = [
    "vectors",
    "queries",
    "faiss queries/s",
    "queries/s",
    "times",
    "same ids",
    "vectors MB",
    "peak MB over them",
]


def measure(device: str) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Figures and bars; prints the table."""
    rows, bars = [], {}
    figures: dict[str, float] = {}
    for n, n_queries in SIZES.items():
        one = _compare(n, n_queries, device)
        rows.append([n, n_queries, *one.values()])
        figures |= {
            f"top {K} of {n}, {what}": value for what, value in one.items() if isinstance(value, float)
        }
        if "times" in one and device == "cpu" and isinstance(one["times"], float):
            bars[f"top {K} of {n}: times faiss's speed"] = {"value": one["times"], "at_least": 1.0}
            bars[f"top {K} of {n}: share of ids as faiss's"] = {"value": one["same ids"], "at_least": 0.9999}
        bars[f"top {K} of {n}: peak memory over the vectors, MB"] = {
            "value": one["peak MB"],
            "at_most": 512.0,
        }
    report.table(f"exact top {K} of {DIMENSIONS} dimensions on {device}", COLUMNS, rows)
    return figures, bars


def _compare(n: int, n_queries: int, device: str) -> dict[str, Any]:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(n, DIMENSIONS)).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    queries = random.choice(n, n_queries, replace=False)
    index = Index(matrix, [f"{row:08}" for row in range(n)], device)
    before = _forget_peak(device)
    found: list[NDArray[np.int64]] = []
    seconds = _seconds(
        lambda: found.append(np.stack([ids for ids, _ in index.neighbours(queries, K)])), device
    )
    peak = _peak_mb(device) - before
    theirs, same = _faiss(matrix, queries, found[0])
    return {
        "faiss queries per second": theirs,
        "queries per second": n_queries / seconds,
        "times": n_queries / seconds / theirs if isinstance(theirs, float) else "-",
        "same ids": same,
        "vectors MB": matrix.nbytes / 1e6,
        "peak MB": peak,
    }


def _faiss(
    matrix: NDArray[np.float32], queries: NDArray[np.int64], ours: NDArray[np.int64]
) -> tuple[Any, Any]:
    """faiss's queries per second, and the share of our ids that are its; dashes without faiss."""
    try:
        import faiss
    except ImportError:
        return "-", "-"
    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatIP(DIMENSIONS)
    index.add(matrix)
    wanted = matrix[queries]
    answers: list[NDArray[np.int64]] = []
    seconds = _seconds(lambda: answers.append(index.search(wanted, K + 1)[1]), "cpu")
    same = [
        len(set(one) & set(other))
        for one, other in zip(ours.tolist(), answers[0][:, 1:].tolist(), strict=True)
    ]
    return len(queries) / seconds, float(np.mean(same)) / K


def _seconds(run: Callable[[], object], device: str) -> float:
    """The best of two runs: processor time, or wall time where a GPU does the work."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    seconds = []
    for _ in range(2):
        started = clock()
        run()
        seconds.append(clock() - started)
    return min(seconds)


def _forget_peak(device: str) -> float:
    """What is held now; the peak is counted from here on."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 1e6
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets VmHWM (proc(5))
    return _status_mb("VmRSS")


def _peak_mb(device: str) -> float:
    """The most memory that this process, or the GPU, has held since `_forget_peak`."""
    return torch.cuda.max_memory_allocated() / 1e6 if device != "cpu" else _status_mb("VmHWM")


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":")) / 1e3
