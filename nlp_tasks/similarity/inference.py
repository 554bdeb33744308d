"""Deterministic inference for PV-DBOW with negative sampling, in batches, in torch.

The stochastic gradient descent of gensim follows, in expectation, the gradient flow from v = 0 of

    L(v) = sum over words w of c_w log s(u_w.v)  +  k N E[log s(-u_n.v)],   n from the noise distribution,

for a time T, the sum of its learning rates; c_w are the counts after down-sampling and N is their sum. (A word that is
drawn as its own noise is skipped, as in gensim.) Word order does not matter, so that equal words are one count. The
steps and samples of a document depend on that document alone, so that its vector does not depend on its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.similarity import noise_sample
from nlp_tasks.similarity.gensim_descent import learning_rates
from nlp_tasks.similarity.integrators import Problem, mild, stiff
from nlp_tasks.similarity.model import Model
from nlp_tasks.similarity.word_counts import WordCounts, blocks, count

#: Numbers in the word vectors of a block: 4 MB stay in the cache of a CPU; a GPU needs more at a time.
BLOCK_NUMBERS = {"cpu": 2**20, "cuda": 2**27}
#: Documents whose words are looked up at a time.
COUNT_DOCUMENTS = 256


@dataclass(frozen=True)
class Scheme:
    """How documents up to a given stiffness are solved."""

    #: k N T times the largest eigenvalue of the noise words' second moment, over 4.
    stiffness: float
    noise_size: int
    solve: Callable[[Problem], torch.Tensor]


#: Chosen by comparison with the mean of 30 runs of gensim; see docs/similarity.md.
SCHEMES = (
    Scheme(15.0, 256, partial(mild, n_steps=4)),
    Scheme(30.0, 512, partial(mild, n_steps=4)),
    Scheme(60.0, 1024, partial(mild, n_steps=6)),
    Scheme(500.0, 2048, partial(stiff, n_steps=6, n_own=64, n_other=256)),
    Scheme(np.inf, 2048, partial(stiff, n_steps=7, n_own=64, n_other=512)),
)


class DbowInference:
    """A PV-DBOW model loaded for inference: from words to vectors."""

    def __init__(self, model: Model, device: str = "cpu", beat: Callable[[], None] = lambda: None) -> None:
        self._beat = beat
        self._device = torch.device(device)
        self._vocabulary = model.numbers
        self._negative = model.parameters.negative
        self._p = noise_sample.probabilities(model.counts)
        self._keep = keep_chances(model.counts, model.parameters.sample)
        rates = learning_rates(model.parameters.alpha, model.parameters.min_alpha, model.infer_epochs)
        self._time = float(rates.sum())
        self._load_vectors(model)

    def _load_vectors(self, model: Model) -> None:
        """The output vectors in the eigenbasis of their second moment under the noise distribution, and the noise
        samples."""
        output = torch.from_numpy(model.output).to(self._device)  # (V, D)
        p = torch.from_numpy(self._p).to(self._device)
        moment = (output.double() * p[:, None]).T @ output.double()
        eigenvalues, basis = torch.linalg.eigh(moment)
        self._eigenvalues = eigenvalues.clamp_min(0).float()  # (D,)
        self._basis = basis.float()  # (D, D)
        rotated = output @ self._basis
        typical = torch.from_numpy(model.typical).to(self._device) @ self._basis
        sizes = {scheme.noise_size for scheme in SCHEMES}
        self._noise = noise_sample.fit(rotated, self._p, typical, sorted(sizes))
        self._squares = np.append(rotated.square().sum(dim=1).cpu().numpy(), 0.0)  # (V + 1,)
        self._vectors = torch.cat(
            [rotated, rotated.new_zeros(1, rotated.shape[1])]
        )  # the last row is padding

    def __call__(self, documents: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        """One vector per document, not normalised  # (B, D). It is 0 for a document without a known word."""
        vectors = np.zeros((len(documents), self._vectors.shape[1]), dtype=np.float32)
        for start in range(0, len(documents), COUNT_DOCUMENTS):
            part = documents[start : start + COUNT_DOCUMENTS]
            vectors[start : start + len(part)] = self._infer(count(part, self._vocabulary))
        return vectors

    def _infer(self, words: WordCounts) -> NDArray[np.float32]:
        kept = words.counts * self._keep[words.numbers]  # (P,)
        sums = np.add.reduceat(np.append(kept, 0.0), words.starts[:-1]) * (np.diff(words.starts) > 0)  # (B,)
        stiffness = self._negative * self._time * float(self._eigenvalues[-1]) / 4 * sums
        classes = np.searchsorted([scheme.stiffness for scheme in SCHEMES], stiffness)
        sizes = np.diff(words.starts)
        vectors = np.zeros((len(sizes), self._vectors.shape[1]), dtype=np.float32)
        budget = BLOCK_NUMBERS[self._device.type] // self._vectors.shape[1]
        for which, rows in blocks(sizes, classes, budget):
            rows = rows[sizes[rows] > 0]
            if len(rows):
                problem = self._problem(words, rows, kept, which)
                solved = SCHEMES[which].solve(problem)
                vectors[rows] = (solved @ self._basis.T).cpu().numpy()
            self._beat()
        return vectors

    def _problem(
        self, words: WordCounts, rows: NDArray[np.int64], kept: NDArray[np.float64], which: int
    ) -> Problem:
        pad = len(self._vocabulary)
        numbers, counts = words.padded(rows, kept, pad)  # (B, W), (B, W)
        own_noise = np.append(self._p, 0.0)[numbers] * self._negative
        return Problem(
            words=self._rows(numbers),
            importance=counts * self._squares[numbers],
            counts=self._tensor(counts),
            pulls=self._tensor(counts * (1 - own_noise)),
            noise=self._noise[SCHEMES[which].noise_size],
            noise_counts=self._tensor(self._negative * counts.sum(axis=1)),
            eigenvalues=self._eigenvalues,
            time=self._time,
        )

    def _rows(self, numbers: NDArray[np.int64]) -> torch.Tensor:
        """Output vectors of words  # (B, W, D)."""
        flat = torch.from_numpy(numbers.reshape(-1)).to(self._device)
        return self._vectors.index_select(0, flat).view(*numbers.shape, -1)

    def _tensor(self, values: NDArray[np.float64]) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device, torch.float32)


def keep_chances(counts: NDArray[np.int64], sample: float) -> NDArray[np.float64]:
    """The probability that down-sampling, as in gensim, keeps an occurrence of each word  # (V,)."""
    if not sample:
        return np.ones(len(counts))
    ratio = sample * float(counts.sum()) / counts
    return np.asarray(np.minimum(1.0, np.sqrt(ratio) + ratio))
