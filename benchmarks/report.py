"""The output of every benchmark: the machine, tables, one line of JSON, and the exit status."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def machine() -> str:
    """The machine that the figures were measured on."""
    model = "?"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            model = next(
                (line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "?"
            )
    except OSError:
        pass
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Python {platform.python_version()}, {platform.system()}"


def table(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    """Print a table, with numbers aligned to the right."""
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for i, column in enumerate(columns):
        shown.add_column(column, justify="left" if i == 0 else "right")
    for row in rows:
        shown.add_row(
            *(
                f"{cell:,.3g}"
                if isinstance(cell, float)
                else f"{cell:,}"
                if isinstance(cell, int)
                else str(cell)
                for cell in row
            )
        )
    Console(width=None if sys.stdout.isatty() else 160).print(shown)


def at_least_as_good(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """A threshold on the mean difference of paired scores: 0. `chance` is half of its 95 % interval."""
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    error = stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
    return {"value": round(fmean(differences), 3), "at_least": 0.0, "chance": round(1.96 * error, 3)}


def end(figures: dict[str, Any], bars: dict[str, dict[str, float]]) -> None:
    """Print the thresholds, then the line of JSON; exit with 1 if a threshold is missed."""
    missed = []
    for what, bar in bars.items():
        least, most = bar.get("at_least"), bar.get("at_most")
        met = (least is None or bar["value"] >= least) and (most is None or bar["value"] <= most)
        limit = f">= {least:g}" if least is not None else f"<= {most:g}"
        chance = f" +- {bar['chance']:.3g}" if "chance" in bar else ""
        print(f"{'met   ' if met else 'MISSED'}  {what}: {bar['value']:.4g}{chance} ({limit})")
        if not met:
            missed.append(what)
    print(json.dumps({"figures": figures, "bars": bars}))
    sys.exit(1 if missed else 0)
