"""Run every benchmark of the Makefile and compare its figures with those of the last release.

    python -m benchmarks.release [--only WORDS ...] [--save]

Runs each target `bench-*`, one after another, and reads the line of JSON that it prints last. The figures compared are
those with a threshold, since a threshold says which direction is better. benchmarks/release.json has the figures of
the last release; `--save` replaces those that were measured now. Exit status 1 if a benchmark failed or missed
a threshold. A figure that is more than 10 % worse is shown, and is no failure: machines differ and are shared.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import report

ROOT = Path(__file__).parents[1]
FIGURES = Path(__file__).with_name("release.json")
#: These run the others, or need hardware that a release's machine may lack.
LEFT_OUT = ("bench-all", "bench-gpu")
#: A figure that is worse by more than this share is shown.
TOLERATED = 0.1
#: Lines of a benchmark's output that are kept if it fails.
KEPT_LINES = 15


@dataclass(frozen=True)
class Measured:
    """One run of one benchmark.

    Attributes:
        seconds: how long it ran.
        exit_status: of `make`.
        bars: by name, `value` with `at_least` or `at_most`.
        machine: where it ran.
        commit: what ran, with "+" if the working tree had changes.
        date: of the run, in UTC.
        output: the last lines, if no line of JSON was found.
    """

    seconds: float
    exit_status: int
    bars: dict[str, dict[str, float]]
    machine: str
    commit: str
    date: str
    output: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Compared:
    """One figure now and at the last release; `change` is positive if it is better now, None without a last one."""

    benchmark: str
    name: str
    value: float
    limit: str
    met: bool
    before: float | None
    change: float | None

    @property
    def is_worse(self) -> bool:
        return self.change is not None and self.change < -TOLERATED


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[], help="benchmarks whose name contains one of these")
    parser.add_argument("--save", action="store_true", help="these are the figures of a release now")
    parser.add_argument("--makefile", type=Path, default=ROOT / "Makefile")
    parser.add_argument("--figures", type=Path, default=FIGURES)
    asked = parser.parse_args(arguments)
    targets = [
        target
        for target in benchmarks(asked.makefile)
        if any(words in target for words in asked.only or [""])
    ]
    if not targets:
        parser.error(f"no benchmark of {asked.makefile} has a name that contains {' or '.join(asked.only)}")
    before = read(asked.figures)
    now: dict[str, Measured] = {}
    for target in targets:
        print(f"make {target}", flush=True)
        now[target] = run(target, asked.makefile)
        print(f"  {now[target].seconds:.0f} s, exit status {now[target].exit_status}", flush=True)
        if asked.save and now[target].bars:
            write(asked.figures, {**read(asked.figures), target: now[target]})
    figures = list(compared(now, before))
    show(figures, now)
    failed = [target for target, measured in now.items() if measured.exit_status or not measured.bars]
    for target in failed:
        print(
            f"FAILED  make {target}: exit status {now[target].exit_status}", *now[target].output, sep="\n  "
        )
    return 1 if failed else 0


def benchmarks(makefile: Path) -> list[str]:
    """The targets that measure, in the order of the Makefile."""
    found = re.findall(r"^(bench-[a-z-]+):", makefile.read_text(encoding="utf-8"), re.MULTILINE)
    return [target for target in dict.fromkeys(found) if target not in LEFT_OUT]


def run(target: str, makefile: Path) -> Measured:
    """Run one benchmark, however it ends."""
    began = time.perf_counter()
    done = subprocess.run(
        ["make", "--no-print-directory", "-f", str(makefile), target],
        cwd=makefile.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    bars = last_bars(lines)
    return Measured(
        seconds=round(time.perf_counter() - began, 1),
        exit_status=done.returncode,
        bars=bars,
        machine=report.machine(),
        commit=commit(),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        output=[] if bars else lines[-KEPT_LINES:],
    )


def last_bars(lines: Iterable[str]) -> dict[str, dict[str, float]]:
    """The thresholds in the last line of JSON; none if there is no such line."""
    for line in reversed(list(lines)):
        if line.startswith("{"):
            try:
                found = json.loads(line)["bars"]
            except (ValueError, KeyError, TypeError):
                continue
            return dict(found)
    return {}


def commit() -> str:
    """The short hash of the commit, with "+" if files differ from it; "?" outside a repository."""
    given = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return given.stdout.strip() or "?"


def read(figures: Path) -> dict[str, Measured]:
    """The figures of the last release, by benchmark; none if there was none."""
    if not figures.exists():
        return {}
    return {
        target: Measured(**measured) for target, measured in json.loads(figures.read_text("utf-8")).items()
    }


def write(figures: Path, measured: Mapping[str, Measured]) -> None:
    """Replace the file at once, one figure a line, so that a diff can be read."""
    new = figures.with_suffix(".new")
    new.write_text(
        json.dumps({target: asdict(one) for target, one in measured.items()}, indent=1, sort_keys=True)
        + "\n",
        encoding="utf-8",
    )
    new.replace(figures)


def compared(now: Mapping[str, Measured], before: Mapping[str, Measured]) -> Iterable[Compared]:
    """Each figure with a threshold, beside that of the last release."""
    for target, measured in now.items():
        old = before[target].bars if target in before else {}
        for name, bar in measured.bars.items():
            least, most = bar.get("at_least"), bar.get("at_most")
            yield Compared(
                benchmark=target,
                name=name,
                value=bar["value"],
                limit=f">= {least:g}" if least is not None else f"<= {most:g}",
                met=(least is None or bar["value"] >= least) and (most is None or bar["value"] <= most),
                before=old[name]["value"] if name in old else None,
                change=_change(bar, old[name]["value"]) if name in old else None,
            )


def _change(bar: Mapping[str, Any], before: float) -> float:
    """How much better the value is now, as a share of the old one."""
    gain = bar["value"] - before if bar.get("at_least") is not None else before - bar["value"]
    if gain == 0:
        return 0.0
    return gain / abs(before) if before else float("inf") if gain > 0 else float("-inf")


def show(figures: Sequence[Compared], now: Mapping[str, Measured]) -> None:
    """All figures, and what needs a look."""
    report.table(
        f"commit {commit()}, {report.machine()}",
        ["figure", "now", "threshold", "last release", "change"],
        [
            [
                f"{figure.benchmark.removeprefix('bench-')}: {figure.name}",
                float(figure.value),
                figure.limit + ("" if figure.met else "  MISSED"),
                "-" if figure.before is None else float(figure.before),
                "-"
                if figure.change is None
                else f"{figure.change:+.0%}" + ("  WORSE" if figure.is_worse else ""),
            ]
            for figure in figures
        ],
    )
    worse = sum(figure.is_worse for figure in figures)
    print(
        f"{len(now)} benchmarks, {len(figures)} figures: {sum(not figure.met for figure in figures)} missed their "
        f"threshold, {worse} are more than {TOLERATED:.0%} worse than at the last release"
    )


if __name__ == "__main__":
    sys.exit(main())
