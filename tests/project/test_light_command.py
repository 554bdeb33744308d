"""The command answers at once: it loads what a command needs when that command runs."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
HELP = [sys.executable, "-m", "docmill.cli", "--help"]
HEAVY = {"torch", "gensim", "numpy", "scipy", "sqlalchemy", "celery", "kombu", "alembic", "pydantic", "mecab"}
HELP_SECONDS = 0.5


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys, json\n"
        "from docmill import cli\n"
        "sys.argv = ['docmill', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    loaded = {name.split(".")[0] for name in json.loads(said.stdout.splitlines()[-1])}

    assert "typer" in loaded
    assert loaded & HEAVY == set()


def test_help_answers_within_half_a_second() -> None:
    """The best of several runs, by the clock or by the processor's time: neighbours on this machine do not count."""
    assert min(_help_seconds() for _ in range(5)) < HELP_SECONDS


def _help_seconds() -> float:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(HELP, capture_output=True, cwd=ROOT, check=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return min(wall, used)
