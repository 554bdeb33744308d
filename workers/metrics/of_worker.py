"""The metrics of the workers of one machine, as their launcher serves them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workers.metrics.gpu_load import GpuLoad
from workers.metrics.recorder import Counts
from workers.metrics.reporting import Reports
from workers.processes.devices import Device
from workers.processes.supervision import Child


class WorkerMetrics:
    """Sums over the processes of each worker, and what its device does."""

    def __init__(self, workers: Sequence[tuple[Device, Child, Path]]) -> None:
        """Each worker with the folder of its instance."""
        self._workers = [(device, child, Reports(folder)) for device, child, folder in workers]
        self._gpus = GpuLoad(
            {device.name: device.environment.get("CUDA_VISIBLE_DEVICES", "") for device, _, _ in workers}
        )

    def counts(self) -> Counts:
        """The metrics at this moment."""
        found = Counts()
        for device, child, reports in self._workers:
            mine = reports.counts()
            mine.gauges["docmill_worker_up", ()] = float(child.is_steady())
            found.add(mine.labelled(_name(child)))
            for name, value in self._gpus.of(device.name).items():
                found.gauges[name, (_name(child),)] = value
        return found


def _name(child: Child) -> str:
    """The worker's name without its host, which Prometheus adds itself: "cpu-0", "cuda-0.1"."""
    return child.name.partition("@")[0]
