"""The loss of Doc2Vec on a sample of its training documents: how well it predicts their words, after each epoch or
step.

Neither gensim's descent nor the integration in torch tells its loss. Here some places of some documents are drawn once,
with noise words for each, and the loss of negative sampling is computed for these, as often as wanted (Mikolov et al.
2013, equation 4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.similarity.corpus import Corpus
from nlp_tasks.similarity.noise_sample import probabilities

#: Documents of the sample, places in each of them, and noise words of each place.
DOCUMENTS, PLACES, NOISE = 256, 8, 5


class SampleLoss:
    """The sample; the same corpus gives the same."""

    def __init__(self, corpus: Corpus, window: int) -> None:
        random = np.random.default_rng(0)
        rows = np.unique(np.linspace(0, len(corpus) - 1, DOCUMENTS).astype(int))
        noise = np.cumsum(probabilities(corpus.counts))
        #: (row, word, the words around it, noise words) of each place.
        self._places: list[tuple[int, int, NDArray[np.int32], NDArray[np.int64]]] = []
        for row in heartbeat.beating(rows.tolist()):
            numbers = corpus.numbers[corpus.starts[row] : corpus.starts[row + 1]]
            numbers = numbers[numbers >= 0]
            for at in random.permutation(len(numbers))[:PLACES].tolist():
                around = np.concatenate(
                    [numbers[max(0, at - window) : at], numbers[at + 1 : at + 1 + window]]
                )
                drawn = np.searchsorted(noise, random.random(NOISE) * noise[-1])
                self._places.append((row, int(numbers[at]), around, drawn))

    def __call__(
        self,
        output: NDArray[np.float32],
        vectors: NDArray[np.float32],
        word_vectors: NDArray[np.float32] | None = None,
    ) -> float:
        """The mean loss of a place; NaN for a sample without words. Only PV-DM has word vectors
        # (V, D), (N, D), (V, D)."""
        if not self._places:
            return float("nan")
        inputs = vectors[[row for row, _, _, _ in self._places]]  # (P, D)
        if word_vectors is not None:
            sums = np.stack([word_vectors[around].sum(axis=0) for _, _, around, _ in self._places])
            sizes = np.array([len(around) for _, _, around, _ in self._places])
            inputs = (inputs + sums) / (sizes + 1)[:, None]
        words = np.array([word for _, word, _, _ in self._places])
        drawn = np.stack([each for _, _, _, each in self._places])  # (P, NOISE)
        right = np.einsum("pd,pd->p", inputs, output[words])
        wrong = np.einsum("pd,pnd->pn", inputs, output[drawn])
        # A drawn word that is the right one is no noise; gensim passes over it, too.
        losses = np.where(drawn == words[:, None], 0.0, np.logaddexp(0.0, wrong))
        return float(np.mean(np.logaddexp(0.0, -right) + losses.sum(axis=1)))
