"""Loss functions: for one label per text, and for several."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from nlp_tasks.classification.architecture import Examples

#: Mean loss of scores (B, K) on labels (B,) or (B, K).
Measure: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def measure_for(examples: Examples, device: str, smoothing: float = 0.0) -> Measure:
    """Cross-entropy with label smoothing; binary cross-entropy if texts have several labels."""
    weights = torch.from_numpy(examples.class_weights).to(device)
    if examples.labels.ndim == 1:
        return nn.CrossEntropyLoss(weights, label_smoothing=smoothing)
    binary = nn.BCEWithLogitsLoss(pos_weight=weights)
    return lambda scores, labels: binary(scores, labels.float())
