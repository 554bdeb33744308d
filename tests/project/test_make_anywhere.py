"""`make demo` and `make test` as a plain user, in a folder whose path has a space and Korean letters."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import missing_redis

ROOT = Path(__file__).parents[2]
#: Root here, a plain user with the number 1000 for itself and for all that it calls: it may read this environment,
#: and has no rights that others have not.
PLAIN_USER = [shutil.which("unshare") or "unshare", "--user", "--map-user=1000", "--map-group=1000"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What git has, in such a folder, with this environment's packages: installing them anew takes minutes."""
    folder = tmp_path / "문서 공장"
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if files.returncode:
        pytest.skip("this is no git checkout")
    for name in filter(None, files.stdout.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv" / ".installed").touch()
    return folder


def as_plain_user(checkout: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command there. The packages are this environment's, but docmill itself is the checkout's."""
    prefix = PLAIN_USER if os.getuid() == 0 else []
    if prefix and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets root make no plain user (user namespaces are off)")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DOCMILL_")}
    own = {"HOME": str(checkout), "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*prefix, *command],
        cwd=checkout,
        env=clean | own | environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.stack
@pytest.mark.slow
def test_make_demo_runs_there_to_its_end(checkout: Path) -> None:
    if missing := missing_redis():
        pytest.skip(missing)
    said = as_plain_user(checkout, "make", "demo")

    assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-3000:]
    assert "Traceback" not in said.stdout + said.stderr
    store = checkout / ".docmill" / "demo" / "docmill.db"
    assert store.is_file()
    # What it advises to type next can be typed there.
    lines = [line.strip() for line in said.stdout.splitlines()]
    advised = [line for line in lines if line.startswith(("source ", "export DOCMILL_HOME=", "docmill sql "))]
    assert len(advised) == 4
    typed = subprocess.run(
        ["bash", "-e", "-c", "\n".join(advised)], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert typed.returncode == 0, typed


def test_make_test_says_there_what_it_needs(checkout: Path, tmp_path: Path) -> None:
    """A plain user without redis-server: which package is missing, and how to install it; before anything runs."""
    needed = tmp_path / "bin"
    needed.mkdir()
    (needed / "python3").symlink_to(sys.executable)
    for name in ("sh", "bash", "id", "ls", "grep", "awk", "rm", "touch"):
        (needed / name).symlink_to(shutil.which(name) or f"/bin/{name}")

    said = as_plain_user(checkout, shutil.which("make") or "make", "test", PATH=str(needed))

    assert said.returncode == 2, said
    assert "missing packages: redis-server" in said.stderr
    assert "sudo apt-get install --no-install-recommends redis-server" in said.stderr
    assert "passed" not in said.stdout


@pytest.mark.long
@pytest.mark.slow
def test_the_quick_checks_and_the_house_tests_run_there(checkout: Path) -> None:
    """What `make test` runs, as far as it is quick."""
    said = as_plain_user(
        checkout, ".venv/bin/pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow and not stack",
        "tests/project", "tests/readers/test_files.py",
        "--deselect", "tests/project/test_make_anywhere.py", "--deselect", "tests/project/test_readme.py",
        "--basetemp", str(checkout / "temp folder"),
    )  # fmt: skip

    assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-2000:]
