"""The planned time of a night beside the real one: five nights over all documents, each with another parameter."""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.night import nights, stores

NIGHT = """
name = "bench"
collection = "bench"
[[step]]
do = "summarize"
parameters = {{ sentences = {sentences} }}
"""
NIGHTS = 5
LARGEST_ERROR = 0.15


def run(n_documents: int) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Figures and bars."""
    errors, figures = [], {}
    with nights.running("summarize") as (store, home):
        # What is measured first is a small night, as after a trial.
        stores.add(store, "bench", max(1_000, n_documents // 20), nights.body)
        nights.night(store, NIGHT.format(sentences=1), home)
        stores.add(store, "bench", n_documents, nights.body)
        for number in range(2, 2 + NIGHTS):
            took, plan = nights.night(store, NIGHT.format(sentences=number), home)
            error = abs(plan.seconds - took) / took
            errors.append(error)
            figures[f"night {number - 1}"] = {"planned": plan.seconds, "took": took, "error": error}
            print(
                f"  planned {plan.seconds:.1f} s (+- {plan.seconds_spread:.1f}), took {took:.1f} s: {error:.1%}"
            )
    middle = statistics.median(errors)
    bars = {"error of the planned time, median of five": {"value": middle, "at_most": LARGEST_ERROR}}
    return {"median error": middle, "worst error": max(errors)}, bars
