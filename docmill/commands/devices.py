"""docmill devices: which devices a worker here would use, and why. Needs neither torch nor a store."""

from __future__ import annotations

import typer

from docmill.commands.options import Devices, Json, PerDevice
from docmill.commands.output import print_json, say
from docmill.commands.shell import FAILED
from docmill.commands.tables import print_table


def devices(devices: Devices = "auto", per_device: PerDevice = 1, json: Json = False) -> None:
    """Show which devices a worker here would use, and why.

    It asks nvidia-smi and reads CUDA_VISIBLE_DEVICES, and starts nothing. The exit status is 1 if something needs
    attention: nvidia-smi fails, a GPU is lost, or CUDA_VISIBLE_DEVICES names a GPU that does not exist.

    Example: docmill devices --devices cuda
    """
    from workers.processes.devices import decide

    decision = decide(devices, per_device)
    rows = [
        {
            "worker": device.name,
            "device": device.torch_name,
            "model": device.model,
            "CUDA_VISIBLE_DEVICES": device.environment["CUDA_VISIBLE_DEVICES"],
            "processors": sorted(device.processors),
            "threads": int(device.environment["OMP_NUM_THREADS"]),
        }
        for device in decision.devices
    ]
    if json:
        found = {"asked": decision.asked, "devices": rows, "why": decision.why, "problems": decision.problems}
        print_json(found)
    else:
        print_table(rows, ("worker", "device", "model", "CUDA_VISIBLE_DEVICES", "threads"), "")
        say(f"why: {decision.why}")
        for problem in decision.problems:
            say(f"BAD  {problem}")
    if decision.problems:
        raise typer.Exit(FAILED)
