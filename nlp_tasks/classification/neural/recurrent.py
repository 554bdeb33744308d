"""The common part of the recurrent encoders: one bidirectional layer, with max and mean pooling."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from nlp_tasks import recurrent_layer
from nlp_tasks.classification.neural.network import WIDTH, Encoder
from nlp_tasks.classification.neural.pooling import maximum_and_mean


class RecurrentEncoder(Encoder):
    """Both directions together are WIDTH wide."""

    out_width = 2 * WIDTH
    cell: ClassVar[type[nn.GRU] | type[nn.LSTM]]

    def __init__(self) -> None:
        super().__init__()
        self.layer = self.cell(WIDTH, WIDTH // 2, bidirectional=True, batch_first=True)

    def forward(self, windows: Tensor, mask: Tensor) -> Tensor:
        states = recurrent_layer.states(self.layer, windows, mask.sum(dim=1))
        return maximum_and_mean(states, mask)  # (B, 2 * WIDTH)
