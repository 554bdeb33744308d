"""In what numbers neural models compute: chosen once in a process. Imports no torch; `torch_device` reads it."""

from __future__ import annotations

#: `auto`: bfloat16 on a GPU that has it, else float16 without training on a GPU that is fast at it, else float32.
CHOICES = ("auto", "float32", "bfloat16", "float16")

_chosen = "auto"


def choose(name: str) -> None:
    """From now on, in this process. ValueError if there is no such choice."""
    if name not in CHOICES:
        raise ValueError(f"there is no precision {name!r}: choose one of {', '.join(CHOICES)}")
    global _chosen
    _chosen = name


def chosen() -> str:
    return _chosen


def may_round(name: str, *devices: str) -> bool:
    """Whether results made on one of these devices ("cuda:0", "cuda-1", "cpu") may be rounded to fewer digits than
    float32 has."""
    if name == "auto":
        return any(device.startswith("cuda") for device in devices)
    return name != "float32"
