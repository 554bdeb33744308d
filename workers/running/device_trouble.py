"""After an error of the device: whether the device is at fault or what was run on it, and what follows.

A kernel that reads outside its memory leaves the device unusable for its process alone: the document may be the cause,
and the crash is counted as any other. A device that is lost, or that fails a probe, is at fault itself: its chunk is
requeued and blames nothing, and the launcher takes the device out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from db.errors import FencedError
from workers.processes import device_watch, probe
from workers.running import faults
from workers.running.lease import Lease, StopRequestedError

log = logging.getLogger("docmill.worker")


def end(lease: Lease, error: Exception, put_back: Callable[[str], object]) -> NoReturn:
    """End this process, which cannot use its device any more. `put_back` requeues the chunk, with a fault."""
    process = lease.process
    why = str(error).split("\n")[0][:200]
    verdict = _verdict(lease, error, why)
    if not verdict:
        process.die(f"the device failed: {why}")
    put_back(f"the device failed: {verdict}")
    device_watch.report(process.settings.home_path, process.settings.instance, verdict)
    log.error("the device failed: %s", verdict)
    process.leave(70)


def _verdict(lease: Lease, error: Exception, why: str) -> str:
    """What is wrong with the device; empty if the device is not to blame."""
    settings = lease.process.settings
    if not probe.is_emulated_or_gpu(settings.device):
        return ""
    if faults.is_device_fault(error):
        return why
    if found := probe.ask(_quiet(lease)):
        return f"{why}; {found}"
    if faults.is_the_programs(error):
        return ""
    if device_watch.is_suspicious(settings.home_path, settings.instance, lease.claim.chunk_id):
        return f"errors in {device_watch.SUSPICIOUS_CHUNKS} chunks, last: {why}"
    return ""


def _quiet(lease: Lease) -> Callable[[], None]:
    """A heartbeat that does not interrupt: the process ends anyway."""

    def beat() -> None:
        with suppress(FencedError, StopRequestedError):
            lease.beat()

    return beat
