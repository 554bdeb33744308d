"""The time of a plan over a million documents: with nothing to do, with 1 % changed, and with everything to do."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks import servers
from benchmarks.night import stores

NIGHT = """
name = "bench"
collection = "bench"
[[step]]
do = "summarize"
[[step]]
do = "keywords"
"""
SECONDS = 10.0


def run(n_documents: int) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Figures and bars, on PostgreSQL."""
    with servers.folder() as home, servers.postgres(home / "p") as url:
        stores.environment(url, home)
        store = stores.made(url)
        figures = _measured(store, home, n_documents)
        store.close()
    worst = max(figures.values())
    bars = {
        f"seconds of a plan over {n_documents:,} documents, the worst": {"value": worst, "at_most": SECONDS}
    }
    return figures, bars


def _measured(store: Any, home: Path, n: int) -> dict[str, float]:
    stores.add(store, "bench", n, lambda i: f"Document {i} of the benchmark. It has two sentences.")
    figures = {"first night": _seconds(store, home, 2 * n)}
    for kind in ("summarize", "keywords"):
        stores.finish(store, kind, "bench")
    figures["nothing to do"] = _seconds(store, home, 0)
    changed = n // 100
    stores.add(store, "bench", changed, lambda i: f"Document {i} was changed. It has two sentences.")
    figures["1 % changed"] = _seconds(store, home, 2 * changed)
    for later in range(2, 6):
        stores.finish(store, "summarize", "bench", sentences=later)
    figures["1 % changed, after five more jobs"] = _seconds(store, home, changed)
    return figures


def _seconds(store: Any, home: Path, expected: int) -> float:
    from scheduler.nights import applying, reading

    began = time.perf_counter()
    plan = applying.plan(store, reading.parse(NIGHT, home))
    took = time.perf_counter() - began
    n = sum(step.n_to_do for step in plan.steps)
    print(f"  {n:,} to do: {took:.2f} s")
    assert n == expected, f"{n} to do, expected {expected}"
    return took
