"""A limit in wall time for talking to a server that answers a byte at a time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from scheduler.notifying.secret import DeliveryError

#: How long a server may be silent.
SILENCE_SECONDS = 10.0
#: How long one delivery may take in all.
DELIVERY_SECONDS = 30.0


@contextmanager
def within(seconds: float, its_socket: Callable[[], socket.socket | None]) -> Iterator[Callable[[], None]]:
    """Cut the connection after this many seconds; DeliveryError then. Call what it yields once the connection is made:
    there is no socket to cut before."""
    is_cut = threading.Event()
    too_late = DeliveryError(f"no answer within {seconds:.0f} s")

    def cut() -> None:
        is_cut.set()
        found = its_socket()
        if found is not None:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)

    def check() -> None:
        if is_cut.is_set():
            raise too_late

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield check
    except Exception as error:
        if is_cut.is_set():
            raise too_late from error
        raise
    finally:
        timer.cancel()
