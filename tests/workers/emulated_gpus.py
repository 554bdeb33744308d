"""`python -m tests.workers.emulated_gpus`: docmill's launcher with a worker on a GPU that is none.

The worker is pinned as on a GPU, but torch computes on the CPU in it. Whether the GPU is well, the nvidia-smi on the
PATH says (`install`): it is lost while there is a file gpu-is-lost in DOCMILL_HOME.
"""

from __future__ import annotations

from pathlib import Path

from docmill.commands.processes import on_stop
from workers.processes import logs
from workers.processes.devices import Device
from workers.processes.launcher import Launcher
from workers.settings import settings

UUID = "GPU-01111111-2222-3333-4444-555555555555"
MODEL = "Emulated GPU"
LOST = "Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU"
EMULATED = Device("cuda-0", "cpu", {"CUDA_VISIBLE_DEVICES": UUID, "OMP_NUM_THREADS": "1"}, model=MODEL)


def install(folder: Path) -> Path:
    """Put the nvidia-smi into a folder; returns the folder."""
    folder.mkdir(parents=True)
    program = folder / "nvidia-smi"
    program.write_text(
        f'#!/bin/sh\nif [ -e "$DOCMILL_HOME/gpu-is-lost" ]; then echo "{LOST}"; exit 15; fi\n'
        f'echo "{UUID}, {MODEL}"\n'
    )
    program.chmod(0o755)
    return folder


def main() -> None:
    logs.to_stderr()
    launcher = Launcher(settings(), [EMULATED], ["oracle"])
    on_stop(launcher.stopping.set)
    launcher.run()


if __name__ == "__main__":
    main()
