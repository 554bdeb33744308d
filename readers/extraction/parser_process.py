"""The process that `isolated` starts: extracts the files that it is sent, one by one, within a limit of memory.

It ends with its parent, at the end of its input, and when a parser crashes. Linux only, as workers are.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from readers.extraction import wire
from readers.extraction.limits import Limits, Visits
from readers.extraction.read import extract
from readers.extraction.records import Extraction, ExtractionError
from readers.options import ReadOptions

_PR_SET_PDEATHSIG = 1
_MIB = 1024 * 1024
_NO_MEMORY = (
    "MEMORY",
    "the file needs more memory than a parser may take: raise the limit, or split the file",
)


def main(parent: int) -> None:
    """Serves the parent over stdin and stdout."""
    _stand_apart(parent)
    requests, answers = os.dup(0), os.dup(1)
    # What a library prints is no answer, and may quote the file.
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    while True:
        try:
            _, request = wire.receive(requests)
            data = wire.receive(requests)[1]
        except EOFError:
            return
        kind, answer = _answer(wire.from_bytes(request), bytes(data), answers)
        del data
        try:
            wire.send(answers, kind, answer)
        except BrokenPipeError:
            return
        del answer


def _stand_apart(parent: int) -> None:
    """Signals to the worker's group are for the worker; when memory runs out, this process goes first."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Arrow's other allocators reserve more address space than the limit of memory allows.
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    with contextlib.suppress(OSError):  # no procfs, or not allowed
        Path("/proc/self/oom_score_adj").write_text("1000")


def _answer(request: dict[str, Any], data: bytes, answers: int) -> tuple[bytes, bytes]:
    """A message with what came of a file."""
    resource.setrlimit(resource.RLIMIT_DATA, (request["memory"], resource.RLIM_INFINITY))
    try:
        try:
            return b"R", wire.as_bytes(wire.packed(_extracted(request, data, answers)))
        except ExtractionError as error:
            return b"E", wire.as_bytes((error.code, error.detail))
        except OSError as error:
            return b"O", wire.as_bytes((error.errno, error.strerror))
    except MemoryError:
        return b"E", wire.as_bytes(_NO_MEMORY)


def _extracted(request: dict[str, Any], data: bytes, answers: int) -> Extraction:
    def entering(number: int, deadline: float) -> None:
        wire.send(answers, b"M", wire.as_bytes((number, deadline)))

    refused = {int(number): ExtractionError(*error) for number, error in request["refused"].items()}
    return extract(
        data
        if request["path"] is None
        else Path(os.fsdecode(request["path"].encode("utf-8", "surrogateescape"))),
        Limits(**request["limits"]),
        request["name"],
        html=request["html"],
        records=ReadOptions(**request["records"]),
        visits=Visits(refused, entering),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
