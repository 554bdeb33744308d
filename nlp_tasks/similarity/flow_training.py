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

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import training_curve
from nlp_tasks.similarity import TrainSimilarityParameters, noise_sample, sparse_rows
from nlp_tasks.similarity.block_threads import Blocks, blocks
from nlp_tasks.similarity.corpus import Corpus
from nlp_tasks.similarity.sides import Side, of_corpus
from nlp_tasks.similarity.warm_start import Start

#: Steps of an integration, and how much longer the last one is than the first: growth from nearly 0 is exponential.
STEPS = 20
GROWTH = 10.0
#: Equal steps of a training that goes on from a model, in the time for which that was trained: each is shorter than the
#: last of STEPS.
STEPS_ON = 10
#: Growing steps of the documents alone before, from small vectors to those that the model's words give them.
STEPS_ALONE = 6
#: Rows whose moments are summed at a time.
MOMENT_ROWS = 2**12
#: The size of the noise sample up to a given stiffness of a row: T k m times the largest eigenvalue, over 4.
SAMPLES = ((2.0, 64), (15.0, 256), (60.0, 1024), (np.inf, 2048))


def train(
    corpus: Corpus,
    parameters: TrainSimilarityParameters,
    vectors: NDArray[np.float32],
    device: str,
    progress: Callable[[int, int], None],
    loss: Callable[[NDArray[np.float32], NDArray[np.float32]], float],
    start: Start | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The output vectors (V, D) and the documents' vectors (N, D), from first vectors of the documents (N, D), and
    those of the words that `start` knows.

    `progress` gets (step, documents done in it); `loss`, of both after each step, is recorded as the training's curve.
    """
    sides = of_corpus(corpus, parameters, device)
    documents = torch.from_numpy(vectors[sides.order]).to(device)
    words = torch.zeros(len(corpus.words), parameters.vector_size, device=device)
    if start is not None:
        words[torch.from_numpy(start.known).to(device)] = torch.from_numpy(start.output).to(device)
    random = np.random.default_rng([parameters.seed, 104729])
    rate = (parameters.alpha + parameters.min_alpha) / 2
    time = (parameters.epochs + (start.epochs if start is not None else 0)) * rate
    trained = np.empty_like(vectors)
    with blocks(device) as run:
        if start is not None:
            others = _Others(words, sides.words.chances, _moments(words, sides.words.chances, run))
            for duration in growing(start.epochs * rate, STEPS_ALONE):
                documents = _move(
                    sides.documents, documents, others, run=run, duration=duration, time=time, random=random
                )
        moments = _moments(documents, sides.documents.chances, run)
        for step, duration in enumerate(durations(parameters.epochs * rate, parameters.epochs, start)):
            move = partial(_move, run=run, duration=duration, time=time, random=random)
            words = move(sides.words, words, _Others(documents, sides.documents.chances, moments))
            progress(step, len(corpus) // 2)
            word_moments = _moments(words, sides.words.chances, run)
            documents = move(sides.documents, documents, _Others(words, sides.words.chances, word_moments))
            moments = _moments(documents, sides.documents.chances, run)
            trained[sides.order] = documents.cpu().numpy()
            training_curve.record(step + 1, loss=loss(words.cpu().numpy(), trained))
            progress(step, len(corpus))
    return words.cpu().numpy(), trained


def n_steps(epochs: int, start: Start | None) -> int:
    """The number of steps of a training."""
    return STEPS if start is None else max(2, math.ceil(STEPS_ON * epochs / start.epochs))


def durations(time: float, epochs: int = 1, start: Start | None = None) -> list[float]:
    """The duration of each step."""
    if start is not None:
        steps = n_steps(epochs, start)
        return [time / steps] * steps
    return growing(time, STEPS)


def growing(time: float, steps: int) -> list[float]:
    """The durations of steps, each longer than the one before."""
    shares = np.geomspace(1.0, GROWTH, steps)
    return [float(share) for share in shares / shares.sum() * time]


@dataclass(frozen=True)
class _Sample:
    """A sample of the other side, from which E[s(y.x) y] over the noise y is estimated."""

    vectors: torch.Tensor  # (K, D)
    weights: torch.Tensor  # (K,), sum about 1
    missing_mean: torch.Tensor  # (D,)
    moment: torch.Tensor  # (D, D)

    def push(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """E[s(y.x) y], and the mean curvature E[s'(y.x)], for each row  # (B, D), (B,).

        The control variate is the best linear fit of s, whose slope is the mean curvature (by Stein's lemma, for
        normal activations).
        """
        activations = x @ self.vectors.T  # (B, K)
        s = activations.sigmoid()
        mean = s @ self.weights
        curvature = mean - s.square() @ self.weights
        offset = mean - curvature * (activations @ self.weights)
        s.addcmul_(activations, curvature[:, None], value=-1.0).mul_(self.weights)
        push = s @ self.vectors
        push += offset[:, None] * self.missing_mean + curvature[:, None] * (x @ self.moment)
        return push, curvature


@dataclass(frozen=True)
class _Moments:
    """Of the vectors of a side, as they are drawn as noise."""

    mean: torch.Tensor  # (D,)
    second: torch.Tensor  # (D, D)


def _moments(vectors: torch.Tensor, chances: NDArray[np.float64], run: Blocks) -> _Moments:
    """Summed over blocks of fixed size, in their order."""
    p = torch.from_numpy(chances).to(vectors)
    mean = vectors.new_zeros(vectors.shape[1], dtype=torch.float64)
    second = vectors.new_zeros(vectors.shape[1], vectors.shape[1], dtype=torch.float64)
    parts = zip(torch.split(vectors, MOMENT_ROWS), torch.split(p, MOMENT_ROWS), strict=True)
    for part_mean, part_second in run.map(_sums, parts):
        mean += part_mean
        second += part_second
    return _Moments(mean.float(), second.float())


def _sums(part: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    vectors, p = part
    return p @ vectors, (vectors * p[:, None]).T @ vectors


@dataclass(frozen=True)
class _Others:
    """The other side of a step."""

    vectors: torch.Tensor  # (S, D)
    chances: NDArray[np.float64]  # (S,)
    moments: _Moments

    @cached_property
    def axes(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Eigenvalues and eigenvectors of the second moment  # (D,), (D, D)."""
        eigenvalues, basis = torch.linalg.eigh(self.moments.second.double())
        return eigenvalues.clamp_min(0).float(), basis.float()

    def sample(self, size: int, random: np.random.Generator) -> _Sample:
        importance = self.chances * self.vectors.norm(dim=1).cpu().numpy() + 1e-30
        rows, inclusion = noise_sample.draw(importance, size, random.random())
        weights = torch.from_numpy(self.chances[rows] / inclusion).to(self.vectors)
        vectors = self.vectors[torch.from_numpy(rows).to(self.vectors.device)]
        return _Sample(vectors, weights, self.moments.mean - weights @ vectors, self.moments.second)


def _move(
    side: Side,
    vectors: torch.Tensor,
    other: _Others,
    *,
    run: Blocks,
    duration: float,
    time: float,
    random: np.random.Generator,
) -> torch.Tensor:
    """The vectors of one side after a step, with the other side at rest  # (R, D)."""
    stiffness = side.noise.cpu().numpy() * (time * float(other.axes[0][-1]) / 4)  # descending
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
    eigenvalues, basis = other.axes
    z = (curvature[:, None] * (eigenvalues * duration)).clamp_min_(1e-6)  # (B, D)
    step = torch.expm1(-z).div_(z).mul_(-duration)
    return torch.addmm(x, (gradient @ basis).mul_(step), basis.T)
