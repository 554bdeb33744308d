"""What every model in torch does alike on its device: random numbers from a seed, and bfloat16 on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """Random numbers of torch come from the seed inside, and are as they were afterwards."""
    with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
        torch.manual_seed(seed)
        yield


def mixed_precision(device: str) -> torch.autocast:
    """Compute in bfloat16 where that is safe, on a GPU; in float32 on a CPU."""
    return torch.autocast(device.partition(":")[0], dtype=torch.bfloat16, enabled=device.startswith("cuda"))
