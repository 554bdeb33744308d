"""Many files through two workers, of which one is killed every 10 seconds: every file has exactly one outcome."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import text

from benchmarks import report
from tests.readers.extraction import builders

_KILL_SECONDS = 10.0
_LINE = "The committee agreed on a plan for the coming year."


def run(n_files: int, figures: dict[str, Any], bars: dict[str, Any]) -> None:
    """Prints what came of the files."""
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name) / "files", Path(name) / "home"
        expected = _make(folder, n_files)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("DOCMILL_")}
        environment["DOCMILL_HOME"] = str(home)
        docmill = [sys.executable, "-m", "docmill.cli"]
        with (Path(name) / "up.log").open("w") as log:
            up = subprocess.Popen(
                [*docmill, "up", "--devices", "cpu:2", "--flower-port", "0"],
                env=environment,
                stdout=log,
                stderr=log,
            )
            stopping = threading.Event()
            killer = _Killer(up.pid, stopping)
            try:
                _wait_until_up(up, Path(name) / "up.log")
                started = time.perf_counter()
                killer.start()
                subprocess.run(
                    [*docmill, "add", str(folder), "--collection", "crowd", "--wait"],
                    env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                )  # fmt: skip
                seconds = time.perf_counter() - started
            finally:
                stopping.set()
                up.send_signal(signal.SIGINT)
                up.wait(60)
        _judge(home, expected, seconds, killer.n_killed, figures, bars)


def _make(folder: Path, n_files: int) -> dict[str, str]:
    """Small files of several formats, every twentieth damaged; the outcome of each."""
    expected = {}
    makers = (
        ("pdf", lambda words: builders.pdf(*[builders.pdf_text(words, _LINE)] * 3)),
        ("docx", lambda words: builders.docx(words, _LINE)),
        ("hwpx", lambda words: builders.hwpx(f"{words} {builders.KOREAN}")),
        ("html", lambda words: f"<html><body><p>{words}</p><p>{_LINE}</p></body></html>".encode()),
        ("zip", lambda words: builders.zipped({"a.pdf": builders.pdf(builders.pdf_text(words))})),
    )
    for number in range(n_files):
        suffix, make = makers[number % len(makers)]
        data, outcome = make(f"File {number}."), "ok"
        if number % 20 == 0:
            data, outcome = b"%PDF-1.4 " + str(number).encode(), "CORRUPT"
        elif number % 20 == 5:
            data, outcome = builders.encrypted_pdf() + str(number).encode(), "ENCRYPTED"
        path = folder / f"{number // 1000}" / f"{number}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        expected[str(path.relative_to(folder))] = outcome
    return expected


def _wait_until_up(up: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 120
    while "docmill is up" not in log.read_text():
        if up.poll() is not None or time.monotonic() > until:
            raise RuntimeError(log.read_text())
        time.sleep(0.2)


class _Killer(threading.Thread):
    """Kills one of the processes that run chunks, again and again."""

    def __init__(self, pid: int, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self._pid, self._stopping = pid, stopping
        self.n_killed = 0

    def run(self) -> None:
        while not self._stopping.wait(_KILL_SECONDS):
            found = [
                process
                for process in psutil.Process(self._pid).children(recursive=True)
                if _is_worker(process)
            ]
            if found:
                random.choice(found).kill()
                self.n_killed += 1


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def _judge(
    home: Path,
    expected: dict[str, str],
    seconds: float,
    n_killed: int,
    figures: dict[str, Any],
    bars: dict[str, Any],
) -> None:
    from db.store import Store

    store = Store(f"sqlite:///{home / 'docmill.db'}")
    with store.read() as session:
        found = session.execute(
            text("SELECT document_key, COALESCE(error_code, state) FROM v_extractions")
        ).all()
        n_outcomes = session.execute(text("SELECT COUNT(*) FROM outcome")).scalar_one()
        made = session.execute(
            text("SELECT COUNT(*), COUNT(DISTINCT d.key) FROM document d JOIN collection c ON c.id = d.collection_id "
                 "WHERE c.name = 'crowd'")
        ).one()  # fmt: skip
    store.close()
    outcomes = {row[0]: row[1] for row in found}
    wrong = sum(outcomes.get(key) != outcome for key, outcome in expected.items())
    n_ok = sum(outcome == "ok" for outcome in expected.values())
    n_lost_or_twice = abs(n_outcomes - len(expected)) + wrong + (made[0] - n_ok) + (made[0] - made[1])
    report.table(
        "Files through two workers, one killed every 10 s",
        ["files", "outcomes", "documents", "kills", "seconds", "files/s"],
        [[len(expected), n_outcomes, made[0], n_killed, seconds, len(expected) / seconds]],
    )
    figures |= {
        "crowd files": len(expected),
        "crowd kills": n_killed,
        "crowd files/s": len(expected) / seconds,
    }
    bars["files lost, twice or with another outcome"] = {"value": n_lost_or_twice, "at_most": 0}
    bars["workers killed"] = {"value": n_killed, "at_least": 1}
