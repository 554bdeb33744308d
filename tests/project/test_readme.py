"""What the README tells people to type, typed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def environment(home: Path) -> dict[str, str]:
    cleared = {
        name: value for name, value in os.environ.items() if not name.startswith(("DOCMILL_", "FLOWER_"))
    }
    return cleared | {"DOCMILL_HOME": str(home), "PATH": f"{BIN}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """docmill up, in a folder of its own."""
    folder = tmp_path_factory.mktemp("readme")
    command = [BIN / "docmill", "up", "--devices", "cpu:1", "--flower-port", "0", "--pages-port", "0"]
    up = subprocess.Popen(command, env=environment(folder), stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert up.stdout is not None
    assert any("docmill is up" in line for line in iter(up.stdout.readline, ""))
    yield folder
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=60)
    assert up.returncode == 0


@pytest.mark.stack
def test_ones_own_documents_in_the_shell_and_from_a_script(home: Path, tmp_path: Path) -> None:
    shell = [block for block in blocks("sh") if block.startswith(("source", "docmill"))]
    assert len(shell) == 6
    # Exports and digests are written into the current folder, and those of a night beside its file.
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for block in shell:
        # The environment is active already.
        lines = block.replace("source .venv/bin/activate\n", "")
        said = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines],
            env=environment(home),
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert said.returncode == 0, said.stdout + said.stderr
        assert "no rows" not in said.stdout
    assert list((tmp_path / "out").glob("labels-*.csv"))
    assert (tmp_path / "night.html").exists()
    (script,) = blocks("python")
    said = subprocess.run(
        [sys.executable, "-c", script], env=environment(home), cwd=ROOT, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.splitlines()) >= 20


@pytest.mark.stack
def test_the_demo_completes_every_job_and_finds_nothing_to_do_the_second_time(tmp_path: Path) -> None:
    assert "make demo" in blocks("sh")[0]
    first = demo(tmp_path)
    assert "crash-me: POISON" in first
    assert all(f"{name}: " in first for name in ("harbour-report.pdf", "tram.html", "회의록.hwpx"))
    store = sqlite3.connect(tmp_path / "demo" / "docmill.db")
    jobs = store.execute(
        "SELECT j.state, j.n_documents, j.n_ok + j.n_error, "
        "(SELECT count(*) FROM outcome o WHERE o.job_id = j.id) FROM job j"
    ).fetchall()
    store.close()
    assert len(jobs) == 12
    assert all(state == "finished" and n > 0 and n == counted == rows for state, n, counted, rows in jobs)
    assert "Nothing to do" in demo(tmp_path)


def demo(home: Path) -> str:
    said = subprocess.run(
        [BIN / "docmill", "demo"], env=environment(home), cwd=ROOT, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def test_what_the_production_block_names_exists() -> None:
    (block,) = [block for block in blocks("sh") if "docker compose" in block]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\S+)", "\n".join(blocks("sh")), flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for service in re.findall(r"docker compose (?:run --rm|exec) (\S+)", block):
        assert re.search(rf"^  {service}:", compose, flags=re.MULTILINE), service
    for profile in re.findall(r"--profile (\S+)", block):
        assert re.search(rf"profiles:.*{profile}", compose), profile
    assert "/documents" in compose


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert link.startswith("http") or (page.parent / link).exists(), f"{page.name}: {link}"
