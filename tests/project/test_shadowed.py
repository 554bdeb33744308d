"""`import docmill` in a folder that has packages named like ours: one sentence that names the folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("db", "readers", "nlp_tasks", "workers", "scheduler")


def python(folder: Path, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "my project"
    folder.mkdir()
    (folder / "script.py").write_text("import docmill\nprint('imported')\n")
    return folder


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("command", [("script.py",), ("-c", "import docmill")])
def test_a_package_of_the_users_is_named(project: Path, package: str, command: tuple[str, ...]) -> None:
    (project / package).mkdir()
    (project / package / "__init__.py").write_text("")

    said = python(project, *command)

    [line] = [line for line in said.stderr.splitlines() if line.startswith("ImportError: ")]
    assert said.returncode == 1
    assert f"{project / package / '__init__.py'} hides docmill's own package '{package}'" in line
    assert "rename yours" in line


def test_so_is_a_module_and_one_that_is_imported_already(project: Path) -> None:
    (project / "workers.py").write_text("")
    assert f"{project / 'workers.py'} hides" in python(project, "script.py").stderr
    (project / "script.py").write_text("import workers\nimport docmill\n")
    assert f"{project / 'workers.py'} hides" in python(project, "script.py").stderr


def test_what_hides_nothing_is_no_error(project: Path) -> None:
    # A folder without __init__.py never hides an installed package.
    (project / "db").mkdir()
    (project / "db" / "notes.txt").write_text("")
    (project / "workers").mkdir()
    (project / "workers" / "__init__.py").write_text("")
    assert python(project, "-P", "script.py").stdout == "imported\n"
    shutil.rmtree(project / "workers")
    assert python(project, "script.py").stdout == "imported\n"
    assert python(ROOT, "-c", "import docmill; print('imported')").stdout == "imported\n"


def test_packages_that_are_installed_beside_docmill_are_ours(project: Path, tmp_path: Path) -> None:
    """As a wheel puts them into site-packages, also when that is reached through a link."""
    installed = tmp_path / "site-packages"
    for package in (*PACKAGES, "docmill"):
        shutil.copytree(ROOT / package, installed / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "link").symlink_to(installed)
    code = "import docmill, db; from docmill import Client; print(docmill.__file__)"
    for path in (installed, tmp_path / "link"):
        said = python(project, "-c", code, path=path)
        assert said.stdout.strip() == str(path / "docmill" / "__init__.py"), said.stderr
