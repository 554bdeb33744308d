"""A command: a program of the scheduler's machine that gets the message as JSON on its standard input.

The variable holds the command line, which is split into words as a shell does; no shell runs it. It stands in the
environment and not in the store: who can write to the store cannot make a scheduler run something else.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from contextlib import suppress

from db.notifications import Claimed
from scheduler.notifying import secret
from scheduler.notifying.deadline import DELIVERY_SECONDS
from scheduler.notifying.destinations import Destination
from scheduler.notifying.secret import DeliveryError
from scheduler.notifying.webhook import content


def deliver(destination: Destination, claimed: Claimed) -> None:
    """Run the command; DeliveryError unless it exits with status 0 in time. What it prints goes nowhere, since
    it may hold secrets."""
    command = _words(destination)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise DeliveryError(f"the command of {destination.variable} cannot be started: {words}") from None
    status = _run(process, content(claimed), destination)
    if status:
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise DeliveryError(f"the command of {destination.variable} ended with {how}")


def _words(destination: Destination) -> list[str]:
    try:
        words = shlex.split(secret.value(destination.variable))
    except ValueError as error:
        raise DeliveryError(f"the command of {destination.variable} cannot be read: {error}") from None
    if not words:
        raise DeliveryError(f"{destination.variable} is no command")
    return words


def _run(process: subprocess.Popen[bytes], message: bytes, destination: Destination) -> int:
    try:
        # A command that does not read its input is not our concern: only its status counts.
        process.communicate(message, timeout=DELIVERY_SECONDS)
    except subprocess.TimeoutExpired:
        raise DeliveryError(
            f"the command of {destination.variable} did not end within {DELIVERY_SECONDS:.0f} s"
        ) from None
    finally:
        # Its children too, however it ended.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode
