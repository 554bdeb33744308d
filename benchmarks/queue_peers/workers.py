"""The processes of a run: a supervisor starts each again when it dies, as systemd or Kubernetes would."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.queue_peers.site import ROOT

#: Between the end of a process and its next start.
RESTART_SECONDS = 0.5
#: That a process gets to end on SIGTERM.
GRACE_SECONDS = 10.0


class Part:
    """A process with its children; its output goes to a log."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._command, self._environment, self._log = command, environment, log
        self._ended = threading.Event()
        self.process = self._start()
        self._supervisor = threading.Thread(target=self._watch, daemon=True)
        self._supervisor.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def tree(self) -> list[psutil.Process]:
        """The process and all its children; those that end meanwhile are left out."""
        with contextlib.suppress(psutil.NoSuchProcess):
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        return []

    def signal_tree(self, number: signal.Signals) -> None:
        for process in self.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def terminate(self) -> None:
        """Ask it to end; the supervisor starts it again."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    def end(self) -> None:
        """For good."""
        self._ended.set()
        self._supervisor.join()
        left = self.tree()
        self.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE_SECONDS)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command, env=os.environ | self._environment, cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            if self.process.poll() is not None:
                self._kill_orphans()
                if self._ended.wait(RESTART_SECONDS):
                    return
                self.process = self._start()

    def _kill_orphans(self) -> None:
        """Children that outlive their parent share its process group: a container would end with it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Submitter:
    """A process that adds a job when told to (tasks/submitting.py)."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            env=os.environ | environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")

    def submit(self) -> float:
        """Seconds that it took."""
        assert self.process.stdin is not None
        began = time.perf_counter()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self._expect("submitted")
        return time.perf_counter() - began

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _expect(self, word: str) -> None:
        assert self.process.stdout is not None
        if (line := self.process.stdout.readline().strip()) != word:
            raise SystemExit(f"{self.process.args!r} printed {line!r} instead of {word!r}")


@contextlib.contextmanager
def ended(parts: Sequence[Part | Submitter]) -> Iterator[None]:
    """Ends them all, whatever happens."""
    try:
        yield
    finally:
        for part in parts:
            part.end()
