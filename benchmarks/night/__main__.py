"""Nightly plans: how long a plan takes, whether its time comes true, what a night costs of which little changed,
and what pruning costs running jobs.

python -m benchmarks.night [PART ...] [--documents N]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks import report

#: Part -> (its module, documents).
PARTS: dict[str, tuple[str, int]] = {
    "plan": ("benchmarks.night.plan_time", 1_000_000),
    "estimate": ("benchmarks.night.estimate", 100_000),
    "change": ("benchmarks.night.change", 100_000),
    # Of this one, outcomes.
    "retention": ("benchmarks.retention", 1_000_000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Nightly plans: time, estimates, cost of what changed.")
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--documents", type=int, help="documents of each part, instead of its own number")
    options = parser.parse_args()
    figures: dict[str, Any] = {"machine": report.machine()}
    bars: dict[str, dict[str, float]] = {}
    for name in options.parts:
        module, n = PARTS[name]
        print(f"{name}:")
        part: Callable[[int], tuple[dict[str, Any], dict[str, dict[str, float]]]] = import_module(module).run
        figures[name], more = part(options.documents or n)
        report.table(name, ["", "value"], [[what, value] for what, value in figures[name].items()])
        bars |= more
    report.end(figures, bars)


if __name__ == "__main__":
    main()
