"""`python -m workers.processes.probe`: whether the device of DOCMILL_DEVICE works. Exit status 0, or 1 and why not.

It is run in a process of its own, with the environment of the device's worker: a process whose device has failed cannot
use it any more, even if it works again. nvidia-smi is asked first, since a driver that has lost a GPU may hang in CUDA.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import IO

from workers.processes import gpus
from workers.processes.supervision import OUR_OWN_PACKAGES, die_with_parent

#: The probe may take this long; importing torch is most of it. A device that does not answer has failed.
PROBE_SECONDS = 120.0
#: Of the matrices that are multiplied, and of the memory that is written and read again.
WIDTH, MEGABYTES = 256, 64
#: The results of two devices may differ by this much.
TOLERANCE = 1e-2
_POLL_SECONDS = 0.2


class Probe:
    """A probe that runs."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the probe)
        self._until = time.monotonic() + PROBE_SECONDS
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workers.processes.probe"],
            env=os.environ | OUR_OWN_PACKAGES | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )

    def verdict(self) -> str | None:
        """None while it runs; then what is wrong with the device, or an empty text."""
        status = self._process.poll()
        if status is None and time.monotonic() < self._until:
            return None
        if status is None:
            self.close()
            return f"it did not answer within {PROBE_SECONDS:.0f} s"
        self._said.seek(0)
        words = self._said.read().decode("utf-8", "replace").strip().splitlines()
        self.close()
        return "" if status == 0 else (words[-1][:300] if words else f"the probe ended with status {status}")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._said.close()


def ask(beat: Callable[[], None]) -> str:
    """Probe this process's device and wait for the verdict: what is wrong with it, or an empty text."""
    probe = Probe()
    while (verdict := probe.verdict()) is None:
        beat()
        time.sleep(_POLL_SECONDS)
    return verdict


def is_emulated_or_gpu(device: str) -> bool:
    """Whether there is a device that can fail: a GPU, or what a test puts in its place. A CPU that fails takes this
    process along."""
    return device.startswith("cuda") or bool(os.environ.get("CUDA_VISIBLE_DEVICES"))


def main() -> None:
    """Print what is wrong; exit status 1 then."""
    problem = gpus.complaint_about(os.environ.get("CUDA_VISIBLE_DEVICES", "")) or _computes(
        os.environ.get("DOCMILL_DEVICE", "cpu")
    )
    if problem:
        print(problem)
        sys.exit(1)


def _computes(device: str) -> str:
    """What is wrong when the device computes and stores; nothing if nothing is."""
    try:
        import torch

        random = torch.Generator().manual_seed(0)
        left, right = torch.randn(2, WIDTH, WIDTH, generator=random)
        there = (left.to(device) @ right.to(device)).cpu()
        if not torch.allclose(there, left @ right, rtol=TOLERANCE, atol=TOLERANCE * WIDTH**0.5):
            return "it computes wrong products"
        written = torch.arange(MEGABYTES << 18, dtype=torch.int32, device=device)
        if int((written.cpu() != torch.arange(MEGABYTES << 18, dtype=torch.int32)).sum()):
            return "it does not keep what is written to its memory"
    except RuntimeError as error:
        # Other work may fill its memory: then it works.
        return "" if "out of memory" in str(error) else str(error).split("\n")[0]
    return ""


if __name__ == "__main__":
    main()
