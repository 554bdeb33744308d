"""A copy of the tree, to be changed and run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("db", "readers", "nlp_tasks", "workers", "scheduler", "docmill", "deploy")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tree as it is now, less caches."""
    target = tmp_path / "docmill copy"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, target / package, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def run(copy: Path, *command: str, status: int = 0) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCMILL_")} | {
        "PYTHONPATH": str(copy),
        "DOCMILL_HOME": str(copy / "home"),
    }
    said = subprocess.run(
        [sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == status, said.stdout + said.stderr
    return said.stdout + said.stderr
