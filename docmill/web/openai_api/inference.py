"""Runs a kind on a few texts at once, in a process of its own, which is started when it is first needed.

One request runs at a time, and a few wait. A process that dies or takes too long is replaced by the next request.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from typing import Any

from db.store import Store
from docmill.web.openai_api.errors import ApiError
from docmill.web.openai_api.inference_process import BYTES

#: With the import path of this process, in which no folder of a script comes first.
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from docmill.web.openai_api.inference_process import main; main(int(sys.argv[1]))"
)
#: For a request, with the start of the process and the loading of a model; and for waiting for its turn.
ANSWER_SECONDS, TURN_SECONDS = 60.0, 30.0
#: For a request to notice that its process was killed.
CLOSE_SECONDS = 1.0
#: Requests that run or wait.
MOST_WAITING = 16
_STOPPING = "the server is stopping: try again"
_BUSY = "docmill is busy with other requests: try again, or send a batch"


class Inference:
    """The process. Its methods may be called from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(MOST_WAITING)
        self._process: subprocess.Popen[bytes] | None = None
        #: Held while a process starts, so that `close` misses none.
        self._starts = threading.Lock()
        self._is_closed = False

    def run(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The answer of the process. ApiError if it cannot give one."""
        if not self._places.acquire(blocking=False):
            raise ApiError(429, _BUSY, headers={"Retry-After": "2"})
        try:
            if not self._turn.acquire(timeout=TURN_SECONDS):
                raise ApiError(503, _BUSY, headers={"Retry-After": "5"})
            try:
                return self._ask(asked)
            finally:
                self._turn.release()
        finally:
            self._places.release()

    def close(self) -> None:
        """End the process, for good. A request that runs fails; it is not waited for."""
        with self._starts:
            self._is_closed = True
            process = self._process
        if process is not None:
            process.kill()
        # A request that runs clears up itself, once it reads the end of the output.
        if self._turn.acquire(timeout=CLOSE_SECONDS):
            try:
                self._end()
            finally:
                self._turn.release()

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        process = self._started()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.flush()
            line = _line(process, time.monotonic() + ANSWER_SECONDS)
        except TimeoutError:
            self._end()
            message = f"the request took longer than {ANSWER_SECONDS:.0f} s: send it in a batch"
            raise ApiError(504, message) from None
        except (OSError, EOFError):
            self._end()
            if self._is_closed:
                raise ApiError(503, _STOPPING) from None
            raise ApiError(500, "the process that runs models died over this request") from None
        except BaseException:
            # Its answer would be taken for that of the next request.
            self._end()
            raise
        answer: dict[str, Any] = json.loads(line, object_hook=_from_json)
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        with self._starts:
            if self._is_closed:
                raise ApiError(503, _STOPPING)
            if self._process is None:
                self._process = self._new()
            return self._process

    def _new(self) -> subprocess.Popen[bytes]:
        url = self._store.url.render_as_string(hide_password=False)
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(os.getpid()), json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"DOCMILL_DATABASE_URL": url},
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()


def _line(process: subprocess.Popen[bytes], end: float) -> bytes:
    """A line of its output. TimeoutError at the end of the time, EOFError if it died."""
    assert process.stdout is not None
    fd = process.stdout.fileno()
    pieces: list[bytes] = []
    while True:
        seconds = end - time.monotonic()
        if seconds <= 0 or not select.select([fd], [], [], seconds)[0]:
            raise TimeoutError
        piece = os.read(fd, 1 << 16)
        if not piece:
            raise EOFError
        pieces.append(piece)
        if piece.endswith(b"\n"):
            return b"".join(pieces)


def _from_json(value: dict[str, Any]) -> Any:
    return base64.b64decode(value[BYTES]) if value.keys() == {BYTES} else value
