"""`lstm`: a bidirectional LSTM over words (Hochreiter & Schmidhuber 1997), with max and mean pooling."""

from __future__ import annotations

from functools import partial

from torch import nn

from nlp_tasks.classification.neural import classifier
from nlp_tasks.classification.neural.recurrent import RecurrentEncoder


class LstmEncoder(RecurrentEncoder):
    cell = nn.LSTM


fit, load = partial(classifier.fit, LstmEncoder), partial(classifier.load, LstmEncoder)
