"""`transformer`: a small transformer encoder from scratch (Vaswani et al. 2017), with max and mean pooling."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from nlp_tasks.classification.neural import classifier
from nlp_tasks.classification.neural.network import WIDTH, Encoder
from nlp_tasks.classification.neural.pooling import maximum_and_mean

LAYERS, HEADS = 2, 4


class TransformerEncoder(Encoder):
    """Pre-norm layers with sinusoidal positions, which are not learned, so that any length is possible."""

    out_width = 2 * WIDTH

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, LAYERS, norm=nn.LayerNorm(WIDTH), enable_nested_tensor=False
        )

    def forward(self, windows: Tensor, mask: Tensor) -> Tensor:
        states = windows * math.sqrt(WIDTH) + _positions(windows)
        return maximum_and_mean(self.layers(states, src_key_padding_mask=~mask), mask)  # (B, 2 * WIDTH)


def _positions(windows: Tensor) -> Tensor:
    """Sines and cosines of the position in the window (S, D)."""
    places = torch.arange(windows.shape[1], device=windows.device)[:, None]
    rates = torch.exp(torch.arange(0, WIDTH, 2, device=windows.device) * (-math.log(10_000) / WIDTH))
    return torch.cat([torch.sin(places * rates), torch.cos(places * rates)], dim=1)


fit, load = partial(classifier.fit, TransformerEncoder), partial(classifier.load, TransformerEncoder)
