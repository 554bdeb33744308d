"""What computes neural models on a CPU, as DOCMILL_RUNTIME says."""

from __future__ import annotations

from importlib.util import find_spec

from workers.settings import Settings

#: Packages of the extra `onnx` that a worker needs, to write graphs and to run them.
PACKAGES = ("onnxruntime", "onnx", "onnxscript")


def check(settings: Settings) -> None:
    """ValueError with the fix if ONNX Runtime is asked for and a package is missing."""
    if settings.runtime != "onnx":
        return
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"DOCMILL_RUNTIME is onnx, and {', '.join(missing)} is not installed: pip install 'docmill[onnx]', or "
            "unset the variable"
        )
