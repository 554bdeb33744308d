"""`extract` in a process of its own, so that a parser that crashes, hangs or leaks harms one document and nobody else.

The process is kept for the next file; a new one takes some tenths of a second to start. After a crash, a hang or a
file that left much memory behind, the next file gets a new one. A document inside a container that kills its
process is left out with its error in another attempt, so that its neighbours are read.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from readers.extraction import wire
from readers.extraction.limits import Limits
from readers.extraction.read import Html
from readers.extraction.records import Extraction, ExtractionError
from readers.options import ReadOptions

_MIB = 1024 * 1024
#: Of data: Python objects and the memory of C libraries, not their code.
DEFAULT_MEMORY = 900 * _MIB
#: A process that holds more than this after a file is replaced.
_KEPT_BYTES = 256 * _MIB
#: Beyond its deadline, a parser gets this time to say TIMEOUT itself.
_GRACE_SECONDS = 2.0
_BEAT_SECONDS = 0.2
#: The same after a death, to see how much memory the process has when it dies again.
_LOOK_SECONDS = 0.005
#: Documents inside one file that may kill their process before the whole file is given up.
_MOST_KILLERS = 8
#: A process that somebody else killed says nothing about the file, the first times.
_MOST_KILLED = 3
#: A process that was last seen with at least this share of its memory in use died for lack of it.
_FULL = 0.5
_PAGE_BYTES = os.sysconf("SC_PAGESIZE")
#: With the parent's own search path: a folder of the user's cannot shadow this package.
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from readers.extraction.parser_process import main; main(int(sys.argv[1]))"
)


class _DiedError(Exception):
    """The process ended in the middle of a file."""

    def __init__(self, signal_number: int, inside: int, n_bytes: int) -> None:
        self.signal_number = signal_number
        #: The document that it was at; 0 is the file.
        self.inside = inside
        #: The memory that it was seen to use.
        self.n_bytes = n_bytes


class _HungError(Exception):
    """The process did not keep its deadline."""

    def __init__(self, inside: int) -> None:
        self.inside = inside


class Parser:
    """A process for parsers, started at the first file. For one thread."""

    def __init__(self, memory: int = DEFAULT_MEMORY) -> None:
        #: Bytes of data that the process may hold.
        self.memory = memory
        self._child: _Child | None = None

    def extract(
        self,
        path_or_bytes: str | Path | bytes,
        limits: Limits | None = None,
        name: str | None = None,
        *,
        html: Html = "auto",
        records: ReadOptions | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> Extraction:
        """As `readers.extraction.extract`, which it calls in the other process. Beside its errors, POISON for a
        document whose parser crashes. `beat` is called while the other process works; what it raises ends that."""
        refused: dict[int, ExtractionError] = {}
        n_killed = n_deaths = 0
        words = {
            "name": name,
            "html": html,
            "records": asdict(records or ReadOptions()),
            "memory": self.memory,
        }
        request = _Request(path_or_bytes, limits or Limits(), words)
        while True:
            is_new = self._child is None
            self._child = child = self._child or _Child()
            try:
                found = child.extract(request, refused, beat, _LOOK_SECONDS if n_deaths else _BEAT_SECONDS)
            except ExtractionError as error:
                if error.code == "MEMORY" and not is_new:  # of what earlier files have left there
                    self.close()
                    continue
                self._keep_if_small()
                raise
            except _DiedError as died:
                self.close()
                was_killed = died.signal_number == signal.SIGKILL
                n_killed += was_killed
                n_deaths += 1
                # Blamed is only what dies again, in a new process.
                if n_deaths < 2 or (was_killed and n_killed < _MOST_KILLED):
                    continue
                n_killed = n_deaths = 0
                _refuse(refused, died.inside, self._reason(died))
            except _HungError as hung:
                self.close()
                detail = f"the parser did not return within the limit of {request.limits.seconds:g} seconds"
                _refuse(
                    refused,
                    hung.inside,
                    ExtractionError("TIMEOUT", f"{detail}: raise it, or leave the file out"),
                )
            except OSError:  # the disk failed, not the process
                raise
            except BaseException:
                self.close()
                raise
            else:
                self._keep_if_small()
                return found

    def close(self) -> None:
        """End the process; the next file starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def n_bytes(self) -> int:
        """Memory that the process uses now; 0 without one."""
        child = self._child
        return child.n_bytes() if child is not None else 0

    def _keep_if_small(self) -> None:
        if self.n_bytes() > _KEPT_BYTES:
            self.close()

    def _reason(self, died: _DiedError) -> ExtractionError:
        if died.signal_number == signal.SIGKILL:
            detail = f"the parser was killed {_MOST_KILLED} times, as the system does where memory runs out"
            return ExtractionError("MEMORY", detail)
        if died.n_bytes >= _FULL * self.memory:
            detail = f"the parser needs more than the {self.memory // _MIB} MiB of memory that it may take"
            return ExtractionError("MEMORY", detail)
        return ExtractionError("POISON", f"the parser crashed ({_signal_name(died.signal_number)})")


def _refuse(refused: dict[int, ExtractionError], inside: int, error: ExtractionError) -> None:
    """Leave a document out from now on; raises for the file itself, and for one with too many of them."""
    if not inside or len(refused) >= _MOST_KILLERS:
        raise error
    refused[inside] = error


class _Request:
    """A file as it is sent to the other process."""

    def __init__(self, path_or_bytes: str | Path | bytes, limits: Limits, words: dict[str, Any]) -> None:
        self.limits = limits
        self._data = path_or_bytes if isinstance(path_or_bytes, bytes) else b""
        is_path = not isinstance(path_or_bytes, bytes)
        self._words = words | {
            "path": str(Path(path_or_bytes).absolute()) if is_path else None,  # type: ignore[arg-type]
            "limits": asdict(limits),
        }

    def send(self, fd: int, refused: dict[int, ExtractionError]) -> None:
        codes = {str(number): (error.code, error.detail) for number, error in refused.items()}
        wire.send(fd, b"Q", wire.as_bytes(self._words | {"refused": codes}))
        wire.send(fd, b"D", self._data)


class _Child:
    """The other process."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-c", _START, str(os.getpid()), json.dumps(sys.path)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._finalizer = weakref.finalize(self, _end, self._process)
        self._peak = 0

    def extract(
        self,
        request: _Request,
        refused: dict[int, ExtractionError],
        beat: Callable[[], None],
        look_seconds: float,
    ) -> Extraction:
        """One attempt. _DiedError or _HungError if it comes to no end."""
        inside = self._peak = 0
        deadline = time.monotonic() + request.limits.seconds + _GRACE_SECONDS

        def ready() -> None:
            while not select.select([self._out], [], [], look_seconds)[0]:
                beat()
                self._peak = max(self._peak, self.n_bytes())
                if time.monotonic() > deadline:
                    raise _HungError(inside)

        try:
            with contextlib.suppress(BrokenPipeError):
                request.send(self._in.fileno(), refused)
            while True:
                beat()
                kind, data = wire.receive(self._out.fileno(), ready)
                if kind != b"M":
                    return _found(kind, data)
                inside, deadline = wire.from_bytes(data)
                deadline += _GRACE_SECONDS
        except EOFError:
            number = -self._process.wait()
            raise _DiedError(max(0, number), inside, self._peak) from None

    def n_bytes(self) -> int:
        """Memory in use now."""
        try:
            return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * _PAGE_BYTES
        except (OSError, IndexError):
            return 0

    def end(self) -> None:
        self._finalizer()


def _found(kind: bytes, data: bytearray) -> Extraction:
    value = wire.from_bytes(data)
    if kind == b"E":
        raise ExtractionError(*value)
    if kind == b"O":
        raise OSError(*value)
    return wire.unpacked(value)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "it ended by itself"
