"""A supervised child process: restarted with backoff, told to stop, killed if it does not.

It has its own session, so that Ctrl-C reaches its parent alone, and gets SIGTERM when its parent dies
(PR_SET_PDEATHSIG), so that none is left behind.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workers.processes.child_output import plain, said

log = logging.getLogger("docmill.supervision")

_PR_SET_PDEATHSIG = 1
#: A child that lived at least this long had started well: its next restart is immediate.
HEALTHY_SECONDS = 60.0
MAX_BACKOFF_SECONDS = 30.0
#: A child that died counts as running again after this time.
STEADY_SECONDS = 15.0
#: The last line is looked for in this much of the end of a log.
_TAIL_BYTES = 10_000
#: Python, and what it starts in turn, does not look for modules in the current folder: a package `db` or `workers`
#: there would replace ours.
OUR_OWN_PACKAGES = {"PYTHONSAFEPATH": "1"}


@dataclass
class Child:
    """One command and the process that runs it."""

    name: str
    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    #: Where its output goes; None: where the parent's goes.
    log_file: Path | None = None
    #: Processors it may use; empty for all.
    processors: frozenset[int] = frozenset()
    #: Open files that it keeps as long as it lives.
    inherits: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    _started_at: float = 0.0
    _log_at: int = 0
    _backoff_seconds: float = 0.0
    #: When it was told to stop; None if it was not.
    _told_at: float | None = None
    _restart_at: float = 0.0

    def keep_up(self) -> None:
        """Start it if it is not there and its backoff is over. Call it regularly."""
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            self._plan_restart(code)
        if time.monotonic() >= self._restart_at:
            self._start()

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def is_steady(self) -> bool:
        """Alive, and not between two of its deaths."""
        has_lived = time.monotonic() - self._started_at
        return self.is_alive() and (self._backoff_seconds == 0 or has_lived > STEADY_SECONDS)

    def terminate(self) -> None:
        """Tell it to stop."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def come_down(self, seconds: float) -> bool:
        """Tell it to stop, and kill it if it still runs after `seconds`; whether it has ended. Call it regularly: it
        does not wait. `keep_up` starts it again at once."""
        if not self.is_alive():
            self.process, self._told_at = None, None
            self._backoff_seconds = self._restart_at = 0.0
            return True
        if self._told_at is None:
            self._told_at = time.monotonic()
            self.terminate()
        elif time.monotonic() > self._told_at + seconds:
            self.wait_or_kill(0)
        return False

    def wait_or_kill(self, seconds: float) -> None:
        """Wait for its end; after `seconds` kill it and every process of its session."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.05, seconds))
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop in time and is killed", self.name)
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _plan_restart(self, code: int) -> None:
        healthy = time.monotonic() - self._started_at > HEALTHY_SECONDS
        self._backoff_seconds = (
            0.0 if healthy else min(max(1.0, self._backoff_seconds * 2), MAX_BACKOFF_SECONDS)
        )
        self._restart_at = time.monotonic() + self._backoff_seconds
        self.process = None
        log.warning(
            "%s ended (%s), starting it again in %.0f s%s",
            self.name, _how(code), self._backoff_seconds, said(self._last_line()),
        )  # fmt: skip

    def _last_line(self) -> str:
        """The last line of its log that the process before wrote."""
        if self.log_file is None:
            return ""
        with self.log_file.open("rb") as file:
            file.seek(max(self._log_at, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
        return plain(next((line.strip() for line in reversed(lines) if line.strip()), ""))

    def _start(self) -> None:
        log.info("starting %s", self.name)
        output = None if self.log_file is None else self.log_file.open("ab")
        self._log_at = output.tell() if output else 0
        try:
            self.process = subprocess.Popen(
                self.command,
                env=os.environ | OUR_OWN_PACKAGES | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
                pass_fds=self.inherits,
                preexec_fn=self._in_the_child,
            )
        finally:
            if output is not None:
                output.close()
        self._started_at = time.monotonic()
        self._told_at = None

    def _in_the_child(self) -> None:
        """Between fork and exec."""
        die_with_parent()
        if self.processors:
            os.sched_setaffinity(0, self.processors)


def die_with_parent() -> None:
    """Between fork and exec: get SIGTERM when the parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def stop_all(children: Sequence[Child], seconds: float) -> None:
    """Tell all to stop, together; kill those that still run after `seconds`."""
    for child in children:
        child.terminate()
    until = time.monotonic() + seconds
    for child in children:
        child.wait_or_kill(until - time.monotonic())


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
