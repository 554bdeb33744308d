"""HTTP connections with a limit on the time of a whole request, and not only on each silence of the server: one that
sends a byte now and then would never be given up."""

from __future__ import annotations

import http.client
import io
import socket
import time
from functools import partial
from typing import Any
from urllib.parse import SplitResult


class Deadline:
    """A moment, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, more than 0. TimeoutError if it has passed."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no whole answer within {self._seconds:g} s")
        return left


def connected(address: SplitResult, deadline: Deadline) -> http.client.HTTPConnection:
    """A connection for one request, which is sent and answered before the deadline; TimeoutError otherwise."""
    connect = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = connect(address.hostname or "", address.port, timeout=deadline.left())
    connection.response_class = partial(_Response, deadline)  # type: ignore[assignment]
    try:
        connection.connect()
        # One limit for sending all of the request.
        connection.sock.settimeout(deadline.left())
    except BaseException:
        connection.close()
        raise
    return connection


class _Response(http.client.HTTPResponse):
    def __init__(self, deadline: Deadline, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Received(sock, self.fp.detach(), deadline))


class _Received(io.RawIOBase):
    """What a socket receives, where each wait ends at the deadline."""

    def __init__(self, sock: socket.socket, raw: Any, deadline: Deadline) -> None:
        super().__init__()
        self._socket, self._raw, self._deadline = sock, raw, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._deadline.left())
        found: int | None = self._raw.readinto(buffer)
        return found

    def close(self) -> None:
        self._raw.close()
        super().close()
