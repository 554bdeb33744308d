"""`gru`: a bidirectional gated recurrent network over words (Cho et al. 2014), pooled by maximum and mean."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from torch import Tensor, nn

from nlp_tasks.checkpoint import Checkpoint
from nlp_tasks.classification import TrainParameters, neural
from nlp_tasks.classification.architecture import Examples, Fitted
from nlp_tasks.classification.network import WIDTH, Encoder
from nlp_tasks.classification.neural import NeuralClassifier
from nlp_tasks.classification.pooling import maximum_and_mean
from nlp_tasks.kind import Progress


class GruEncoder(Encoder):
    """One layer; both directions together are WIDTH wide."""

    out_width = 2 * WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(WIDTH, WIDTH // 2, bidirectional=True, batch_first=True)

    def forward(self, windows: Tensor, mask: Tensor) -> Tensor:
        lengths = mask.sum(dim=1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(windows, lengths, batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)
        return maximum_and_mean(states, mask)  # (B, 2 * WIDTH)


def fit(
    examples: Examples,
    parameters: TrainParameters,
    device: str,
    progress: Progress,
    checkpoint: Checkpoint | None = None,
) -> Fitted:
    """See architecture.Architecture."""
    return neural.fit(GruEncoder, examples, parameters, device, progress, checkpoint)


def load(config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str) -> NeuralClassifier:
    """See architecture.Architecture."""
    return neural.load(GruEncoder, config, tensors, device)
