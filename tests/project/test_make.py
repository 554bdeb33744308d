"""The Makefile and CI are for newcomers: everything is listed, everything says what is missing."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make(*arguments: str) -> str:
    done = subprocess.run(["make", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_every_target_has_a_description() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = {name for line in re.findall(r"^\.PHONY:(.*)$", text, re.M) for name in line.split()}
    described = set(re.findall(r"^([a-z][a-z-]*):.*## \S", text, re.M))

    assert targets == described


def test_make_alone_lists_the_commands() -> None:
    listed = set(re.findall(r"^  make (\S+) +\S", make("--no-print-directory"), re.M))

    assert {"demo", "test", "check", "venv", "system", "bench-queue", "clean"} <= listed


def test_every_module_that_make_runs_exists() -> None:
    modules = re.findall(r"python -m ([\w.]+)", (ROOT / "Makefile").read_text())

    assert modules
    paths = {name: ROOT / name.replace(".", "/") for name in modules}
    assert [
        name
        for name, path in paths.items()
        if not path.with_suffix(".py").is_file() and not (path / "__main__.py").is_file()
    ] == []


def test_the_files_of_the_quick_tests_exist() -> None:
    command = make("--no-print-directory", "--dry-run", "quick")
    paths = re.findall(r"tests/[\w/.]+", command.splitlines()[-1])

    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_what_contributors_are_told_to_type_exists() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M)

    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", told, re.M)) <= set(targets)
    tests = re.findall(r"pytest (tests/[\w/.]+)(?:::(\w+))?", told)
    assert tests
    for path, name in tests:
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8") if name else (ROOT / path).exists()


def test_ci_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()


def test_without_root_it_says_what_to_install(tmp_path: Path) -> None:
    somebody = tmp_path / "id"
    somebody.write_text("#!/bin/sh\necho 1000\n")
    somebody.chmod(0o755)
    command = ROOT / "deploy" / "system-packages"
    path = {"PATH": f"{tmp_path}:/bin"}

    done = subprocess.run(["/bin/sh", command, "no-such-thing"], env=path, capture_output=True, text=True)

    assert done.returncode == 1
    assert "apt-get install --no-install-recommends no-such-thing" in done.stderr


def test_what_is_there_is_not_installed_again() -> None:
    command = ROOT / "deploy" / "system-packages"

    done = subprocess.run([command, "sh"], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_constraints_pin_every_declared_dependency() -> None:
    import tomllib

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [declared["project"]["dependencies"], *declared["dependency-groups"].values()]
    names = {plain(re.split(r"[\[<>=!~; ]", line)[0]) for group in groups for line in group}
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)$", (ROOT / "constraints.txt").read_text(), re.M))

    assert names <= {plain(name) for name in pins}
    # The only release with a CPU build on the machines that build this.
    assert pins["torch"] == "2.13.0"


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
