"""The image: what it is made from reaches the build, what it starts exists, and what is trimmed away is not missed."""

from __future__ import annotations

import fnmatch
import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMAGE = ROOT / "deploy" / "image"


def copied() -> list[str]:
    """What the Dockerfile copies from the checkout."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.M)
    return [source for line in lines for source in line.split()[:-1]]


def is_sent(path: str) -> bool:
    """Whether .dockerignore lets it reach the build: the last pattern that matches it or a folder above it decides."""
    sent = True
    above = ["/".join(path.split("/")[: n + 1]) for n in range(path.count("/") + 1)]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and any(fnmatch.fnmatch(each, pattern) for each in above):
            sent = line.startswith("!")
    return sent


def test_everything_that_is_copied_exists_and_reaches_the_build() -> None:
    assert copied()
    assert [path for path in copied() if not (ROOT / path).exists() or not is_sent(path)] == []


def test_nothing_else_reaches_the_build() -> None:
    paths = {path.name for path in ROOT.iterdir()} | {"deploy/postgres.sql", ".env", "shared"}
    tops = {path.split("/")[0] for path in copied()}

    assert not [path for path in paths if is_sent(path) and path.split("/")[0] not in tops]
    assert not is_sent(".env")
    assert not is_sent(".git")


def test_every_package_of_the_wheel_is_in_the_image() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert set(wheel["packages"]) <= set(copied())


def test_the_final_stage_installs_nothing_and_runs_as_a_plain_user() -> None:
    final = DOCKERFILE.split("FROM ")[-1]

    assert not re.search(r"\b(pip|apt-get)\b", final)
    assert re.findall(r"^USER (\S+)$", final, re.M) == ["10001:10001"]
    # Nothing is run as root after the user is set, and no password can be built in.
    assert "ARG" not in final


def test_the_tags_that_are_told_are_those_of_this_version() -> None:
    tags = re.findall(r"--tag docmill:(\S+)", DOCKERFILE)

    assert tags == [f"{PROJECT['version']}-cpu", f"{PROJECT['version']}-gpu"]


def requirements(extras: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, IMAGE / "requirements", extras],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_image_has_docmills_dependencies_and_the_extras() -> None:
    [extras] = re.findall(r'^ARG EXTRAS="(.*)"$', DOCKERFILE, re.M)
    installed = requirements(extras).stdout.splitlines()
    optional = PROJECT["optional-dependencies"]

    assert set(PROJECT["dependencies"]) < set(installed)
    assert {line for name in extras.split(",") for line in optional[name]} < set(installed)
    assert requirements("").stdout.splitlines() == PROJECT["dependencies"]


def test_an_extra_that_does_not_exist_is_an_error_that_lists_them() -> None:
    done = requirements("files,perquet")

    assert done.returncode == 1
    assert "no extra perquet; it has files, parquet" in done.stderr


WITHOUT = """
import importlib.util, runpy, sys

find_spec = importlib.util.find_spec
absent = set(sys.argv[2].split(","))

class Absent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

importlib.util.find_spec = lambda name, *rest: None if name in absent else find_spec(name, *rest)
sys.meta_path.insert(0, Absent)
runpy.run_path(sys.argv[1])
"""


def packages(lines: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", line)[0].replace("-", "_").lower() for line in lines}


def test_every_module_is_imported_without_the_extras_that_the_image_lacks() -> None:
    [extras] = re.findall(r'^ARG EXTRAS="(.*)"$', DOCKERFILE, re.M)
    there = packages(requirements(extras).stdout.splitlines())
    absent = packages([line for lines in PROJECT["optional-dependencies"].values() for line in lines]) - there
    assert {"transformers", "onnx"} <= absent

    command = [sys.executable, "-c", WITHOUT, str(IMAGE / "check"), ",".join(sorted(absent))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "every module can be imported" in done.stdout


@pytest.fixture(scope="module")
def trim() -> Any:
    loader = SourceFileLoader("docmill_trim", str(IMAGE / "trim"))
    spec = importlib.util.spec_from_loader("docmill_trim", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_tests_and_headers_are_trimmed_and_what_runs_is_not(trim: Any, tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    stay = {
        "torch/bin/torch_shm_manager", "torch/testing/__init__.py", "torch/lib/libtorch_python.so",
        "numpy/testing/__init__.py", "nvidia/cublas/lib/libcublas.so", "other/tests/__init__.py",
    }  # fmt: skip
    go = {
        "torch/bin/test_api", "torch/include/ATen/ATen.h", "torch/test/test.py", "nvidia/cublas/include/c.h",
        "numpy/_core/tests/test_a.py", "scipy/linalg/tests/data/tests/x.npz", "gensim/test/test_data/large",
        "gensim/models/inner.cpp", "torch/lib/libjitbackend_test.so", "scipy/lib/libx.a",
    }  # fmt: skip
    for name in stay | go:
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text("x")

    for path in list(trim.superfluous(packages)):
        trim.remove(path)

    assert {str(path.relative_to(packages)) for path in packages.rglob("*") if path.is_file()} == stay
