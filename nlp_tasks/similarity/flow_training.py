"""Trains PV-DBOW with negative sampling by the gradient flow of both sides, on all cores or a GPU; deterministic.

The stochastic descent of gensim follows, in expectation, the gradient flow from small random v and u = 0 of

    L(v, u) = sum over pairs d, w of c_dw log s(u_w.v_d)  +  k sum over d, w of n_d p_w log s(-u_w.v_d)

for a time T, the sum of its learning rates; c_dw are the counts after down-sampling, n_d their sum in a document and p
the noise distribution. Word order does not matter. The flow is integrated in a few steps, in turn for all words and for
all documents, by an exponential integrator (Hochbruck & Ostermann 2010): its Jacobian is the mean curvature of a row
times the eigenvalues of the other side's second moment. Frequent words and long documents are stiff, and need it.

The pairs of the first sum are taken exactly, from a sparse matrix. The second sum is estimated from a sample of the
other side, drawn anew in each step; what is linear in the sample's error is corrected by the exact moments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.similarity import TrainSimilarityParameters, noise_sample, sparse_rows
from nlp_tasks.similarity.block_threads import Blocks, blocks
from nlp_tasks.similarity.corpus import Corpus
from nlp_tasks.similarity.sides import Side, of_corpus

#: Steps of an integration, and how much longer the last one is than the first: growth from nearly 0 is exponential.
STEPS = 20
GROWTH = 10.0
#: The size of the noise sample up to a given stiffness of a row: T k m times the largest eigenvalue, over 4.
SAMPLES = ((15.0, 256), (60.0, 1024), (np.inf, 2048))


def train(
    corpus: Corpus,
    parameters: TrainSimilarityParameters,
    vectors: NDArray[np.float32],
    device: str,
    progress: Callable[[int, int], None],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The output vectors (V, D) and the documents' vectors (N, D), from first vectors of the documents (N, D).

    `progress` gets (step, documents done in it).
    """
    sides = of_corpus(corpus, parameters, device)
    documents = torch.from_numpy(vectors[sides.order]).to(device)
    words = torch.zeros(len(corpus.words), parameters.vector_size, device=device)
    random = np.random.default_rng([parameters.seed, 104729])
    time = parameters.epochs * (parameters.alpha + parameters.min_alpha) / 2
    with blocks(device) as run:
        for step, duration in enumerate(durations(time)):
            move = partial(_move, run=run, duration=duration, time=time, random=random)
            words = move(sides.words, words, documents, sides.documents.chances)
            progress(step, len(corpus) // 2)
            documents = move(sides.documents, documents, words, sides.words.chances)
            progress(step, len(corpus))
    trained = np.empty_like(vectors)
    trained[sides.order] = documents.cpu().numpy()
    return words.cpu().numpy(), trained


def durations(time: float) -> list[float]:
    """The duration of each step."""
    shares = np.geomspace(1.0, GROWTH, STEPS)
    return (shares / shares.sum() * time).tolist()


@dataclass(frozen=True)
class _Sample:
    """A sample of the other side, from which E[s(y.x) y] over the noise y is estimated."""

    vectors: torch.Tensor  # (K, D)
    weights: torch.Tensor  # (K,), sum about 1
    mean: torch.Tensor  # (D,) of the sample
    #: What the sample's mean and second moment lack.
    missing_mean: torch.Tensor  # (D,)
    missing_moment: torch.Tensor  # (D, D)

    def push(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """E[s(y.x) y], and the mean curvature E[s'(y.x)], for each row  # (B, D), (B,).

        The control variate is the best linear fit of s, whose slope is the mean curvature (by Stein's lemma, for
        normal activations).
        """
        s = (x @ self.vectors.T).sigmoid_()  # (B, K)
        mean = s @ self.weights
        curvature = mean - s.square() @ self.weights
        push = s.mul_(self.weights) @ self.vectors
        offset = mean - curvature * (x @ self.mean)
        push += offset[:, None] * self.missing_mean + curvature[:, None] * (x @ self.missing_moment)
        return push, curvature


@dataclass(frozen=True)
class _Others:
    """The other side of a step: its vectors, their moments, and samples of them."""

    vectors: torch.Tensor  # (S, D)
    chances: NDArray[np.float64]  # (S,)
    mean: torch.Tensor  # (D,)
    moment: torch.Tensor  # (D, D)
    eigenvalues: torch.Tensor  # (D,)
    basis: torch.Tensor  # (D, D)

    def sample(self, size: int, random: np.random.Generator) -> _Sample:
        importance = self.chances * self.vectors.norm(dim=1).cpu().numpy() + 1e-30
        rows, inclusion = noise_sample.draw(importance, size, random.random())
        weights = torch.from_numpy(self.chances[rows] / inclusion).to(self.vectors)
        vectors = self.vectors[torch.from_numpy(rows).to(self.vectors.device)]
        mean = weights @ vectors
        moment = (vectors * weights[:, None]).T @ vectors
        return _Sample(vectors, weights, mean, self.mean - mean, self.moment - moment)


def _others(vectors: torch.Tensor, chances: NDArray[np.float64], run: Blocks) -> _Others:
    """Moments are summed over blocks of fixed size, in their order."""
    p = torch.from_numpy(chances).to(vectors)
    parts = list(zip(vectors.split(2**12), p.split(2**12), strict=True))
    moment = sum(run.map(lambda part: ((part[0] * part[1][:, None]).T @ part[0]).double(), parts))
    mean = sum(run.map(lambda part: (part[1] @ part[0]).double(), parts))
    eigenvalues, basis = torch.linalg.eigh(moment)
    return _Others(
        vectors,
        chances,
        mean.float(),
        moment.float(),
        eigenvalues.clamp_min(0).float(),
        basis.float(),
    )


def _move(
    side: Side,
    vectors: torch.Tensor,
    others: torch.Tensor,
    chances: NDArray[np.float64],
    *,
    run: Blocks,
    duration: float,
    time: float,
    random: np.random.Generator,
) -> torch.Tensor:
    """The vectors of one side after a step, with the other side at rest  # (R, D)."""
    other = _others(others, chances, run)
    stiffness = side.noise.cpu().numpy() * (time * float(other.eigenvalues[-1]) / 4)  # descending
    limits = np.searchsorted(-stiffness, [-limit for limit, _ in SAMPLES])  # the first row below each limit
    moved = torch.empty_like(vectors)
    stops = [len(side), *limits.tolist()]
    tasks = []
    for (_, size), start, stop in zip(SAMPLES, stops[1:], stops[:-1], strict=True):
        if start < stop:
            sample = other.sample(size, random)
            tasks += [(rows, sample) for rows in side.blocks(start, stop)]
    tasks.reverse()  # the rows with the most pairs first

    def one(task: tuple[slice, _Sample]) -> None:
        rows, sample = task
        moved[rows] = _moved(side, rows, vectors[rows], other, sample, duration)

    for _ in run.map(one, tasks):
        pass
    return moved


def _moved(
    side: Side, rows: slice, x: torch.Tensor, other: _Others, sample: _Sample, duration: float
) -> torch.Tensor:
    """The rows of a block after the exponential Euler step  # (B, D)."""
    pairs = slice(int(side.starts[rows.start]), int(side.starts[rows.stop]))
    starts = torch.from_numpy(side.starts[rows.start : rows.stop + 1] - side.starts[rows.start])
    pattern = sparse_rows.Pattern(starts.to(x.device), side.partners[pairs])
    pulls = side.pulls[pairs]
    s = pattern.products(x, other.vectors).sigmoid_()  # (P,)
    gradient = pattern.sums(side.counts[pairs] - pulls * s, other.vectors)  # (B, D)
    curvature = pattern.totals(pulls * (s - s.square()))  # (B,)
    push, noise_curvature = sample.push(x)
    noise = side.noise[rows]
    gradient -= noise[:, None] * push
    curvature += noise * noise_curvature
    z = (curvature[:, None] * (other.eigenvalues * duration)).clamp_min_(1e-6)  # (B, D)
    step = torch.expm1(-z).div_(z).mul_(-duration)
    return torch.addmm(x, (gradient @ other.basis).mul_(step), other.basis.T)
