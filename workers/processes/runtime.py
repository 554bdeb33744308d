"""What computes neural models on a CPU, as DOCMILL_RUNTIME says."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from workers.processes.devices import Device
from workers.settings import Settings

#: Packages of the extra `onnx` that a worker needs, to write graphs and to run them.
PACKAGES = ("onnxruntime", "onnx", "onnxscript")


def check(settings: Settings, devices: Sequence[Device]) -> None:
    """ValueError with the fix if ONNX Runtime is asked for, and a package is missing or a worker on a CPU should
    compute in other numbers than those of graphs."""
    if settings.runtime != "onnx":
        return
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"DOCMILL_RUNTIME is onnx, and {', '.join(missing)} is not installed: pip install 'docmill[onnx]', or "
            "unset the variable"
        )
    is_on_cpu = any(device.torch_name == "cpu" for device in devices)
    if is_on_cpu and settings.precision not in ("auto", "float32"):
        raise ValueError(
            f"DOCMILL_RUNTIME is onnx, whose graphs compute in float32, and DOCMILL_PRECISION is {settings.precision}: "
            "set DOCMILL_PRECISION=auto, or DOCMILL_RUNTIME=torch"
        )
