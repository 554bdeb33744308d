"""`gru`: a bidirectional gated recurrent network over words (Cho et al. 2014), with max and mean pooling."""

from __future__ import annotations

from functools import partial

from torch import nn

from nlp_tasks.classification.neural import classifier
from nlp_tasks.classification.neural.recurrent import RecurrentEncoder


class GruEncoder(RecurrentEncoder):
    cell = nn.GRU


fit, load = partial(classifier.fit, GruEncoder), partial(classifier.load, GruEncoder)
