"""From which commit `make compose-test` upgrades."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.deploy.lab import before_migration

VERSIONS = Path("db/migrations/versions")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    return tmp_path


def git(root: Path, *words: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *settings, *words], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(root: Path, *names: str, after: str | None = None) -> str:
    """A commit with these files, and no others from before in the folder of migrations. Each comes after the one
    with the number before it, or the last one after this number."""
    folder = root / VERSIONS
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name in names:
        number = name.removesuffix(".py").split("_")[3] if name != "__init__.py" else None
        before = after if after and name == names[-1] else f"{int(number or 0) - 1:04}"
        text = f'revision = "{number}"\ndown_revision = "{before}"\n'
        (folder / name).write_text(text if number else "")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", " ".join(names) or "nothing")
    return git(root, "rev-parse", "HEAD")


def test_it_is_the_newest_commit_with_an_older_schema(repository: Path) -> None:
    first, second = "2026_01_01_0001_first.py", "2026_01_02_0002_second.py"
    commit(repository, first)
    older = commit(repository, first, "__init__.py")
    commit(repository, first, second)
    commit(repository, first, "2026_01_02_0002_renamed.py")
    assert before_migration("HEAD", repository) == older


def test_it_is_no_commit_between_merges_whose_migrations_are_two_chains(repository: Path) -> None:
    names = [f"2026_01_01_000{number}_name.py" for number in (1, 2, 3, 4)]
    whole = commit(repository, *names[:2])
    commit(repository, *names[:3], after="0001")
    commit(repository, *names)
    assert before_migration("HEAD", repository) == whole


def test_without_an_older_schema_it_says_so(repository: Path) -> None:
    for name in ("0001_a", "0001_b"):
        commit(repository, f"2026_01_01_{name}.py")
    with pytest.raises(SystemExit, match="give --previous"):
        before_migration("HEAD", repository)
