"""The noise term of negative sampling, E[s(u_n.v) u_n] over the noise words n, estimated from a small fixed sample.

Rows are drawn by systematic sampling (Madow 1949) with probability proportional to p_n |u_n|, and weighted by its
inverse. The error of the sample is nearly linear in v in the region of document vectors: a linear map, fitted once on
vectors of training documents, corrects it (a control variate) and reduces it to a fifth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import heartbeat

#: Noise words are drawn in proportion to count to this power (`ns_exponent` in gensim).
NOISE_EXPONENT = 0.75
#: The fit uses typical vectors at these fractions of their length, since an inference starts from 0.
FRACTIONS = (0.05, 0.3, 0.65, 1.0)


@dataclass(frozen=True)
class Noise:
    """s -> E[s u] is `(weights * s) @ vectors + offset + v @ matrix` for s = sigmoid(vectors @ v)."""

    vectors: torch.Tensor  # (K, D)
    weights: torch.Tensor  # (K,), sum about 1
    offset: torch.Tensor  # (D,)
    matrix: torch.Tensor  # (D, D)


def probabilities(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The probability that each word is drawn as noise  # (V,)."""
    powers = counts.astype(np.float64) ** NOISE_EXPONENT
    return np.asarray(powers / powers.sum())


def fit(
    output: torch.Tensor, p: NDArray[np.float64], typical: torch.Tensor, sizes: Iterable[int]
) -> dict[int, Noise]:
    """Samples of these sizes from the rows of `output` (V, D), fitted on typical document vectors (S, D)."""
    importance = p * output.norm(dim=1).cpu().numpy()
    at = torch.cat([typical * fraction for fraction in FRACTIONS])  # (4 S, D)
    exact = _expectation(at, output, torch.from_numpy(p).to(output))
    samples = {}
    for size in sizes:
        rows, chances = draw(importance, size)
        weights = torch.from_numpy(p[rows] / chances).to(output)
        vectors = output[torch.from_numpy(rows).to(output.device)].contiguous()
        offset, matrix = _linear_fit(at, exact - _expectation(at, vectors, weights))
        samples[size] = Noise(vectors, weights, offset, matrix)
    return samples


def draw(
    importance: NDArray[np.float64], size: int, offset: float = 0.5
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """At most `size` rows, ascending, with the inclusion probability of each. `offset`, from 0 to 1, is the random
    number that systematic sampling needs; the same one draws the same rows."""
    if size >= len(importance):
        return np.arange(len(importance)), np.ones(len(importance))
    chances = _chances(importance, size)
    total = np.cumsum(chances)
    rows = np.searchsorted(total * (size / total[-1]), np.arange(size) + offset)
    rows = np.unique(np.minimum(rows, len(importance) - 1))
    return rows, chances[rows]


def _chances(importance: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Inclusion probabilities: min(1, a * importance), never 0, with a such that they sum to `size`."""
    importance = np.maximum(importance, importance.max() * 1e-9)
    chances = np.minimum(1.0, importance * (size / importance.sum()))
    for _ in range(30):
        certain = chances >= 1.0
        rest = importance[~certain].sum()
        if rest <= 0:
            break
        chances = np.where(certain, 1.0, np.minimum(1.0, importance * ((size - certain.sum()) / rest)))
        if np.count_nonzero(chances >= 1.0) == np.count_nonzero(certain):
            break
    return np.asarray(chances)


def _expectation(at: torch.Tensor, vectors: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """E[s(u.v) u] for each v in `at`, in blocks, since the vocabulary can be large  # (A, D)."""
    return torch.cat(
        [
            torch.sigmoid(block @ vectors.T).mul_(weights) @ vectors
            for block in heartbeat.beating(torch.split(at, 64))
        ]
    )


def _linear_fit(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """offset (D,) and matrix (D, D) of y = offset + x @ matrix, least squares with a light ridge."""
    ones = torch.ones(len(x), 1, dtype=torch.float64, device=x.device)
    inputs = torch.cat([x.double(), ones], dim=1)
    gram = inputs.T @ inputs
    ridge = 1e-5 * gram.trace() / len(gram) * torch.eye(len(gram), dtype=torch.float64, device=x.device)
    solution = torch.linalg.solve(gram + ridge, inputs.T @ y.double()).to(x)
    return solution[-1].contiguous(), solution[:-1].contiguous()
