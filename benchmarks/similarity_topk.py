"""Exact nearest neighbours compared with the flat index of faiss (if installed): the 10 nearest of every vector."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import report
from nlp_tasks.similarity.exact_search import Index

K = 10
DIMENSIONS = 128
#: From the number of vectors to the number of queries. With fewer than 1,000 queries at a time, faiss 1.15 uses an
#: algorithm that is ten times slower: both sides get 2,048, to be fair.
SIZES = {100_000: 2048, 1_000_000: 2048}
COLUMNS = [
    "vectors",
    "queries",
    "faiss queries/s",
    "queries/s",
    "times",
    "times, float32 only",
    "same ids",
    "vectors MB",
    "peak MB over them",
]


def measure(device: str) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Figures and thresholds; prints the table."""
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
    keys = [f"{row:08}" for row in range(n)]
    index = Index(matrix, keys, device)
    before = _forget_peak(device)
    ours = _ids(index, queries)
    peak = _peak_mb(device) - before
    runs = {"ours": lambda: _ids(index, queries)}
    if (faiss := _faiss(matrix, queries)) is not None:
        runs["faiss"] = faiss
    seconds = _seconds(runs, device)
    plain = Index(matrix, keys, device, rough=())
    seconds |= _seconds({"float32": lambda: _ids(plain, queries), "again": faiss or (lambda: None)}, device)
    return {
        "faiss queries per second": n_queries / seconds["faiss"] if faiss else "-",
        "queries per second": n_queries / seconds["ours"],
        "times": seconds["faiss"] / seconds["ours"] if faiss else "-",
        "times, float32 only": seconds["again"] / seconds["float32"] if faiss else "-",
        "same ids": _shared(ours, faiss()[:, 1:]) if faiss else "-",
        "vectors MB": matrix.nbytes / 1e6,
        "peak MB": peak,
    }


def _ids(index: Index, queries: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([ids for ids, _ in index.neighbours(queries, K)])


def _faiss(matrix: NDArray[np.float32], queries: NDArray[np.int64]) -> Callable[[], NDArray[np.int64]] | None:
    """The search of faiss for the same, including the query itself; None without faiss."""
    try:
        import faiss
    except ImportError:
        return None
    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatIP(DIMENSIONS)
    index.add(matrix)
    wanted = matrix[queries]
    return lambda: index.search(wanted, K + 1)[1]


def _shared(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> float:
    """The share of ids that both results have."""
    same = [len(set(one) & set(other)) for one, other in zip(ours.tolist(), theirs.tolist(), strict=True)]
    return float(np.mean(same)) / K


def _seconds(runs: dict[str, Callable[[], object]], device: str) -> dict[str, float]:
    """The best of three runs each, in turn: CPU time, or wall time on a GPU."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    seconds = dict.fromkeys(runs, float("inf"))
    for _ in range(3):
        for name, run in runs.items():
            started = clock()
            run()
            seconds[name] = min(seconds[name], clock() - started)
    return seconds


def _forget_peak(device: str) -> float:
    """The memory in use; the peak is measured from here on."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 1e6
    ctypes.CDLL(None).malloc_trim(0)  # freed memory must not hide new allocations
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets VmHWM (proc(5))
    return _status_mb("VmRSS")


def _peak_mb(device: str) -> float:
    """The peak memory of this process, or of the GPU, since `_forget_peak`."""
    return torch.cuda.max_memory_allocated() / 1e6 if device != "cpu" else _status_mb("VmHWM")


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":")) / 1e3
