"""Memory and utilisation of GPUs, as nvidia-smi tells. It is asked in a thread, since it may take seconds or hang; a
scrape gets the last answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from workers.processes import gpus

#: nvidia-smi is asked this often, as long as somebody scrapes.
ASK_SECONDS = 10.0
#: An older answer is not shown.
OLD_SECONDS = 90.0
_QUERY = ("--query-gpu=uuid,memory.used,memory.total,utilization.gpu", "--format=csv,noheader,nounits")
_NAMES = (
    "docmill_device_memory_used_bytes",
    "docmill_device_memory_total_bytes",
    "docmill_device_utilisation_ratio",
)
_FACTORS = (1_048_576.0, 1_048_576.0, 0.01)


class GpuLoad:
    """The GPUs of some workers."""

    def __init__(self, uuids: Mapping[str, str]) -> None:
        """Device name -> its UUID; empty for a device that is no GPU."""
        self._uuids = {name: uuid for name, uuid in uuids.items() if uuid.startswith("GPU-")}
        self._found: dict[str, dict[str, float]] = {}
        self._asked_at = self._answered_at = float("-inf")
        self._asking: threading.Thread | None = None

    def of(self, device: str) -> dict[str, float]:
        """Metric -> value; nothing for a device that is no whole GPU, and until the first answer."""
        if device not in self._uuids:
            return {}
        self._ask()
        is_old = time.monotonic() - self._answered_at > OLD_SECONDS
        return {} if is_old else self._found.get(self._uuids[device], {})

    def _ask(self) -> None:
        if self._asking is not None and self._asking.is_alive():
            return
        if time.monotonic() - self._asked_at > ASK_SECONDS:
            self._asked_at = time.monotonic()
            self._asking = threading.Thread(target=self._answer, name="nvidia-smi", daemon=True)
            self._asking.start()

    def _answer(self) -> None:
        status, said = gpus.ask(*_QUERY)
        if status == 0:
            self._found = parsed(said)
            self._answered_at = time.monotonic()


def parsed(said: str) -> dict[str, dict[str, float]]:
    """UUID -> metric -> value. What a GPU does not tell ("[N/A]") is left out."""
    found: dict[str, dict[str, float]] = {}
    for line in said.splitlines():
        uuid, *cells = (cell.strip() for cell in line.split(","))
        if uuid.startswith("GPU-") and len(cells) == len(_NAMES):
            values = zip(_NAMES, cells, _FACTORS, strict=True)
            found[uuid] = {name: float(cell) * factor for name, cell, factor in values if cell.isdecimal()}
    return found
