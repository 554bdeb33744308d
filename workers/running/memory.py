"""The memory of this worker's device: how much is used, how much models may have, and how to give some back."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from workers.processes import linux
from workers.settings import Settings

#: Of the memory that a worker may use, models get this share by default. Batches need the rest.
MODELS_SHARE = 0.5


def used(device: str) -> int:
    """Bytes that this process has on its device: what torch has allocated on a GPU; on the CPU its resident memory,
    which is an estimate of what a model takes, since freed memory may stay resident."""
    if not device.startswith("cuda"):
        return linux.resident_bytes()
    torch = _torch()
    return int(torch.cuda.memory_allocated()) if torch is not None else 0


def total(settings: Settings) -> int:
    """Bytes that this worker may use on its device."""
    if not settings.device.startswith("cuda"):
        return int(linux.memory_bytes() * settings.device_share)
    import torch

    return int(torch.cuda.mem_get_info()[1] * settings.device_share)


def budget(settings: Settings) -> int:
    """Bytes for models and what belongs to them."""
    return settings.model_memory_mb * 1_000_000 or int(total(settings) * MODELS_SHARE)


def hold_to_share(settings: Settings) -> None:
    """On a GPU that several workers share, torch takes no more than this worker's part: it runs out of memory alone,
    instead of with the others."""
    if settings.device.startswith("cuda") and settings.device_share < 1:
        import torch

        torch.cuda.set_per_process_memory_fraction(settings.device_share)


def release(device: str) -> None:
    """Give what is no longer used back to the device, or to the system."""
    # What was loaded stays out of the collector's sight (see `runners`), and cycles keep tensors.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    if device.startswith("cuda"):
        if (torch := _torch()) is not None:
            torch.cuda.empty_cache()
        return
    with suppress(OSError, AttributeError):  # another libc than glibc
        _malloc_trim()(0)


def _torch() -> Any:
    """torch, if a GPU is in use here: asking must not be what first touches it."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_initialized() else None


def _malloc_trim() -> Callable[[int], int]:
    trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    return trim
