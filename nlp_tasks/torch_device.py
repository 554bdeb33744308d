"""What every model in torch does alike on its device: random numbers from a seed, and numbers of 16 bits where the
device is good at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from nlp_tasks import precision

#: The first GPUs whose matrix units multiply float16.
FAST_FLOAT16 = (7, 0)


@contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """Random numbers of torch come from the seed inside, and are as they were afterwards."""
    with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
        torch.manual_seed(seed)
        yield


def number_type(device: str) -> torch.dtype:
    """The numbers that models compute in on this device, as `precision` was chosen and the device can."""
    chosen = precision.chosen()
    if chosen != "auto":
        found: torch.dtype = getattr(torch, chosen)
        return found
    if not device.startswith("cuda"):
        return torch.float32
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float16 if torch.cuda.get_device_capability(device) >= FAST_FLOAT16 else torch.float32


def weights_type(device: str) -> torch.dtype:
    """The same for a model whose weights are stored so. Not float16, unless it was asked for: encoder-decoders that
    were trained in bfloat16 have numbers which are too large for it."""
    found = number_type(device)
    return torch.float32 if found == torch.float16 and precision.chosen() == "auto" else found


def mixed_precision(device: str) -> torch.autocast:
    """Compute in 16 bits where that is safe and the device can. Training never uses float16, whose small gradients are
    zero."""
    numbers = number_type(device)
    if numbers == torch.float16 and torch.is_grad_enabled():
        numbers = torch.float32
    is_mixed = numbers != torch.float32
    return torch.autocast(
        device.partition(":")[0], dtype=numbers if is_mixed else torch.bfloat16, enabled=is_mixed
    )


def computed(device: str, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
    """What `compute` gives in mixed precision. Once more in float32, if float16 was too small for it."""
    with mixed_precision(device):
        found = compute()
    if number_type(device) == torch.float16 and not bool(torch.isfinite(found).all()):
        found = compute()
    return found
