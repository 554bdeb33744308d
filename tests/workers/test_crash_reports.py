"""What a worker's process leaves on the disk proves that it is dead, and says what it died of and what it held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import until
from workers.processes import crash_reports
from workers.processes.crash_reports import Dead

CHILD = """
import faulthandler, sys, time
from pathlib import Path
from workers.processes import crash_reports
folder = crash_reports.folder_of(Path(sys.argv[1]), "a")
file = crash_reports.open_file(folder, "a.1")
faulthandler.enable(file=file)
{does}
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def _child(home: Path, does: str = "") -> subprocess.Popen[str]:
    code = textwrap.dedent(CHILD).format(does=does)
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for child in started:
        child.kill()
        child.communicate()


def _dead(home: Path) -> list[Dead]:
    return list(crash_reports.dead_in(crash_reports.folder_of(home, "a")))


@pytest.mark.parametrize(
    ("does", "number", "code", "words"),
    [
        ("", signal.SIGKILL, "POISON", "the process was killed from outside"),
        ("", signal.SIGSEGV, "POISON", "Fatal Python error: Segmentation fault"),
        (
            "faulthandler.dump_traceback_later(0.05, exit=True, file=file)",
            None,
            "TIMEOUT",
            "the work hung",
        ),
        ("crash_reports.record(file, crash_reports.TOLD_TO_STOP)", signal.SIGKILL, "POISON", "told to stop"),
        (
            "crash_reports.record(file, 'the device failed: x')",
            signal.SIGKILL,
            "POISON",
            "the device failed: x",
        ),
    ],
    ids=["killed", "segfault", "hang", "told to stop", "device"],
)
@pytest.mark.parametrize("held", [None, (7, 3)])
def test_only_a_dead_process_is_found_and_with_what_it_said(
    home: Path,
    children: list[subprocess.Popen[str]],
    does: str,
    number: int | None,
    code: str,
    words: str,
    held: tuple[int, int] | None,
) -> None:
    child = _child(home, f"crash_reports.record_claim(file, {held})\n{does}")
    children.append(child)
    if number is not None:
        assert _dead(home) == []
        child.send_signal(number)
    child.wait(30)
    [dead] = _dead(home)
    assert (dead.instance, dead.parent_pid, dead.code, dead.held) == ("a.1", os.getpid(), code, held)
    assert words in dead.detail
    assert dead.was_told_to_stop == (words == "told to stop")


def test_a_process_that_is_stopped_is_not_dead(home: Path, children: list[subprocess.Popen[str]]) -> None:
    child = _child(home)
    children.append(child)
    child.send_signal(signal.SIGSTOP)
    until(lambda: "\nState:\tT" in Path(f"/proc/{child.pid}/status").read_text(), "the stop")
    assert _dead(home) == []


def test_what_was_held_is_forgotten_when_it_is_done(home: Path) -> None:
    with crash_reports.open_file(crash_reports.folder_of(home, "a"), "a.1") as file:
        crash_reports.record_claim(file, (1, 1))
        crash_reports.record_claim(file, None)
    [dead] = _dead(home)
    assert dead.held is None
    assert "killed from outside" in dead.detail


def test_a_worker_is_an_orphan_only_when_launcher_and_processes_are_dead(
    home: Path, children: list[subprocess.Popen[str]]
) -> None:
    launcher = crash_reports.lock_launcher(crash_reports.folder_of(home, "a"))
    child = _child(home)
    children.append(child)
    assert list(crash_reports.orphans(home)) == []
    launcher.close()
    assert list(crash_reports.orphans(home)) == [], "its process lives"
    child.kill()
    child.wait()
    [(instance, [dead])] = crash_reports.orphans(home)
    assert (instance, dead.instance) == ("a", "a.1")
    crash_reports.remove(home, "a")
    assert list(crash_reports.orphans(home)) == []


def test_a_folder_of_another_boot_or_machine_proves_nothing(home: Path) -> None:
    folder = crash_reports.folder_of(home, "a")
    crash_reports.lock_launcher(folder).close()
    crash_reports.open_file(folder, "a.1").close()
    assert [instance for instance, _ in crash_reports.orphans(home)] == ["a"]
    (folder / "launcher").write_text("another machine")
    assert list(crash_reports.orphans(home)) == []
    assert folder.exists()
    os.utime(folder, (0, 0))
    assert list(crash_reports.orphans(home)) == []
    assert not folder.exists(), "of no use to anybody after so long"
