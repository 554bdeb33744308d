"""`cnn`: convolutions over one, two and three words, with max pooling (Kim 2014)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from nlp_tasks.classification.neural import classifier
from nlp_tasks.classification.neural.network import WIDTH, Encoder
from nlp_tasks.classification.neural.pooling import maximum

#: Words under one filter.
SPANS = (1, 2, 3)


class CnnEncoder(Encoder):
    """WIDTH filters for each span."""

    out_width = len(SPANS) * WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.ModuleList(nn.Conv1d(WIDTH, WIDTH, span, padding=span // 2) for span in SPANS)

    def forward(self, windows: Tensor, mask: Tensor) -> Tensor:
        channels = windows.transpose(1, 2)  # (B, D, S)
        heard = [layer(channels).transpose(1, 2)[:, : mask.shape[1]] for layer in self.filters]
        return maximum(torch.cat(heard, dim=2).relu(), mask)  # (B, 3 * WIDTH)


fit, load = partial(classifier.fit, CnnEncoder), partial(classifier.load, CnnEncoder)
