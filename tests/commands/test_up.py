"""`docmill up` as processes: it runs jobs to their end, refuses a second one, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.servers import missing_redis, until

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
DOCMILL = [sys.executable, "-m", "docmill.cli"]
FILINGS = ROOT / "examples" / "documents" / "filings"


def _docmill(*words: str, status: int = 0) -> str:
    said = subprocess.run(
        [*DOCMILL, *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert said.returncode == status, said
    return said.stdout + said.stderr


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


@pytest.fixture
def up(tmp_path: Path, taken_port: int) -> Iterator[subprocess.Popen[str]]:
    if missing := missing_redis():
        pytest.skip(missing)
    log = tmp_path / "up.log"
    ports = ("--flower-port", str(taken_port), "--pages-port", str(taken_port))
    command = [*DOCMILL, "up", "--devices", "cpu:1", *ports]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, text=True)
    until(lambda: "docmill is up" in log.read_text() or process.poll() is not None, "docmill up")
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


def test_up_runs_jobs_and_stops_with_everything_it_started(
    up: subprocess.Popen[str], tmp_path: Path, taken_port: int
) -> None:
    said = (tmp_path / "up.log").read_text()
    assert f"127.0.0.1:{taken_port}" not in said, "somebody else has that port"
    assert f"(port {taken_port} is in use)" in said
    _the_printed_address_signs_in(said)
    assert "docmill is already up" in _docmill("up", status=1)

    # A script submits, waits and reads, twice: the second time it finds the same job.
    example = [sys.executable, "examples/submit_folder.py", str(FILINGS)]
    first = subprocess.run(example, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert len(first.stdout.splitlines()) == len(list(FILINGS.glob("*.txt")))
    assert first.stdout.startswith("byeolmaru-2025-q1.txt: ")
    again = subprocess.run(example, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert (again.stdout, again.stderr) == (first.stdout, first.stderr)

    checked = _docmill("doctor")
    assert "BAD" not in checked
    assert "ok   pages: http://127.0.0.1:" in checked
    assert "0 differ" in _docmill("verify", "1", "--sample", "3")
    _ctrl_c_leaves_the_job_alone()

    family = psutil.Process(up.pid).children(recursive=True)
    names = " ".join(" ".join(child.cmdline()) for child in family)
    assert all(
        part in names
        for part in (
            "redis-server",
            "docmill.cli scheduler",
            "docmill.cli serve",
            "workers.processes.celery_command worker",
            "flower",
        )
    )
    up.send_signal(signal.SIGTERM)
    assert up.wait(60) == 0
    assert psutil.wait_procs(family, timeout=5)[1] == []


def _the_printed_address_signs_in(said: str) -> None:
    [address] = re.findall(r"^pages:  (\S+)", said, re.M)
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def overview() -> bytes:
        try:
            with opener.open(address, timeout=20) as answer:
                found: bytes = answer.read()
                return found
        except urllib.error.URLError:
            # Not yet.
            return b""

    assert b"Overview" in until(overview, "the pages answering")


def _ctrl_c_leaves_the_job_alone() -> None:
    submit = ["submit", "oracle", "--collection", "filings", "-p", "seconds=60", "--wait"]
    watching = subprocess.Popen([*DOCMILL, *submit], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert watching.stdout is not None
    assert watching.stdout.readline().startswith("job 2: oracle over")
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=30)
    assert watching.returncode == 130
    assert '"state": "running"' in _docmill("status", "2", "--json")
    _docmill("cancel", "2")


def test_a_reader_that_leaves_is_no_error() -> None:
    command = [*DOCMILL, "kinds", "--json"]
    read, write = os.pipe()
    os.close(read)
    said = subprocess.run(
        command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(write)
    assert (said.returncode, said.stderr) == (141, "")
