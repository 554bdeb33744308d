"""Two exponential integrators for the gradient flow of a block of documents (Hochbruck & Ostermann 2010).

`mild` approximates the Jacobian by a diagonal in the eigenbasis of the noise words' second moment: cheap, and accurate
enough for short documents. `stiff` uses diagonal blocks of it: long documents nearly reach the optimum in most
directions, and the coupling between blocks is left to the gradient of the next step.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.similarity.noise_sample import Noise, draw

#: gamma of the L-stable two-stage SDIRK method (Alexander 1977), and how often it is applied in a step.
GAMMA = 1 - 0.5**0.5
SUBSTEPS = 2
#: The size of the blocks: with a quarter of 100 dimensions, a quarter of the products are computed, at the price of one
#: more step.
BLOCK_DIRECTIONS = 25


@dataclass(frozen=True)
class Problem:
    """The gradient flow of B documents with at most W distinct words."""

    words: torch.Tensor  # (B, W, D) output vectors, 0 where padded
    importance: NDArray[np.float64]  # (B, W) counts times squared lengths
    counts: torch.Tensor  # (B, W) after down-sampling, 0 where padded
    #: counts * (1 - k p_w): the weight of a word, without the noise that is skipped.
    pulls: torch.Tensor  # (B, W)
    noise: Noise
    noise_counts: torch.Tensor  # (B,) k N
    eigenvalues: torch.Tensor  # (D,) of the noise words' second moment, ascending
    time: float

    def start(self) -> torch.Tensor:
        """v = 0  # (B, D)."""
        return self.words.new_zeros(len(self.words), self.words.shape[2])

    def steps(self, n: int) -> list[torch.Tensor]:
        """n steps that sum to `time`, growing from the scale of the fastest direction  # n of (B, 1)."""
        scale = 8.0 / (self.noise_counts * self.eigenvalues[-1]).clamp_min(1e-9)  # (B,)
        times = [scale * torch.expm1(torch.log1p(self.time / scale) * (i / n)) for i in range(n + 1)]
        return [(late - early)[:, None] for early, late in pairwise(times)]

    def activations(self, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """s(u.v) of the words and of the noise  # (B, W), (B, K)."""
        # Row times matrix: matrix times column takes torch ten times as long on a CPU.
        own = torch.bmm(v[:, None], self.words.transpose(1, 2))[:, 0].sigmoid_()
        return own, (v @ self.noise.vectors.T).sigmoid_()

    def gradient(self, v: torch.Tensor, own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """dL/dv, given the activations at v  # (B, D)."""
        pull = torch.bmm((self.counts - self.pulls * own)[:, None], self.words)[:, 0]
        push = torch.addmm(self.noise.offset, v, self.noise.matrix)
        push = torch.addmm(push, other * self.noise.weights, self.noise.vectors)
        return pull - self.noise_counts[:, None] * push


def mild(problem: Problem, n_steps: int) -> torch.Tensor:
    """ETD2RK with a diagonal Jacobian: the second moment's eigenvalues times the mean curvature  # (B, D)."""
    v = problem.start()
    for step in problem.steps(n_steps):
        own, other = problem.activations(v)
        gradient = problem.gradient(v, own, other)
        curvature = (own * (1 - own) * problem.counts).sum(dim=1)
        curvature += (other * (1 - other)) @ problem.noise.weights * problem.noise_counts
        jacobian = curvature[:, None] * problem.eigenvalues  # (B, D), of -L
        z = (jacobian * step).clamp_min(1e-4)
        phi1 = -torch.expm1(-z) / z
        phi2 = (1 - phi1) / z
        middle = v + step * phi1 * gradient
        change = problem.gradient(middle, *problem.activations(middle)) - gradient
        v = middle + step * phi2 * (change + jacobian * (middle - v))
    return v


def stiff(problem: Problem, n_steps: int, n_own: int, n_other: int) -> torch.Tensor:
    """The exponential Rosenbrock-Euler method with a block-diagonal Jacobian  # (B, D).

    The Jacobian is that at the start of each step, summed over `n_own` words of a document and `n_other` noise words.
    """
    sampled = _JacobianRows(problem, n_own, n_other)
    v = problem.start()
    for step in problem.steps(n_steps):
        own, other = problem.activations(v)
        gradient = _in_blocks(problem.gradient(v, own, other))  # (B, S, BLOCK_DIRECTIONS)
        steps = step.repeat_interleave(gradient.shape[1], dim=0)
        moved = _linear_flow(sampled.jacobian(own, other), gradient.flatten(0, 1), steps)
        v = v + moved.view(len(v), -1)[:, : v.shape[1]]
    return v


class _JacobianRows:
    """The words over which the Jacobians are summed, chosen by their weight, independently of v."""

    def __init__(self, problem: Problem, n_own: int, n_other: int) -> None:
        own = problem.importance  # (B, W)
        drawn = [draw(row[row > 0], n_own) for row in own]
        width = max(len(rows) for rows, _ in drawn)
        chosen = torch.zeros(len(own), width, dtype=torch.int64)
        weights = torch.zeros(len(own), width)
        for i, (rows, chances) in enumerate(drawn):
            chosen[i, : len(rows)] = torch.from_numpy(np.flatnonzero(own[i] > 0)[rows])
            weights[i, : len(rows)] = torch.from_numpy(1 / chances)
        self._own = chosen.to(problem.words.device)  # (B, R)
        own_vectors = problem.words.gather(1, self._own[:, :, None].expand(-1, -1, problem.words.shape[2]))
        self._own_weights = weights.to(problem.words) * problem.counts.gather(1, self._own)

        noise = problem.noise
        rows, chances = draw(
            (noise.weights * noise.vectors.square().sum(dim=1)).double().cpu().numpy(), n_other
        )
        self._other = torch.from_numpy(rows).to(problem.words.device)  # (R',)
        other_weights = torch.from_numpy(1 / chances).to(problem.words) * noise.weights[self._other]
        self._other_weights = problem.noise_counts[:, None] * other_weights  # (B, R')
        other_vectors = noise.vectors[self._other].expand(len(own), -1, -1)
        blocks = _in_blocks(torch.cat([own_vectors, other_vectors], dim=1))
        self._vectors = blocks.transpose(1, 2).contiguous()  # (B, S, R + R', BLOCK_DIRECTIONS)

    def jacobian(self, own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """The blocks of -d2L/dv2, symmetric and positive definite  # (B * S, BLOCK_DIRECTIONS, BLOCK_DIRECTIONS)."""
        own, other = own.gather(1, self._own), other[:, self._other]
        weights = torch.cat(
            [own * (1 - own) * self._own_weights, other * (1 - other) * self._other_weights], dim=1
        )
        weighted = self._vectors * weights[:, None, :, None]
        return torch.bmm(self._vectors.flatten(0, 1).transpose(1, 2), weighted.flatten(0, 1))


def _in_blocks(values: torch.Tensor) -> torch.Tensor:
    """The last dimension in blocks, padded with zeros  # (..., D) -> (..., S, BLOCK_DIRECTIONS)."""
    padded = torch.nn.functional.pad(values, (0, -values.shape[-1] % BLOCK_DIRECTIONS))
    return padded.reshape(*values.shape[:-1], -1, BLOCK_DIRECTIONS)


def _linear_flow(jacobian: torch.Tensor, gradient: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """y(step) of y' = gradient - jacobian y, y(0) = 0, that is step * phi1(-step jacobian) gradient  # (B, D)."""
    h = step / SUBSTEPS
    eye = torch.eye(jacobian.shape[1], dtype=jacobian.dtype, device=jacobian.device)
    factor = torch.linalg.cholesky_ex(eye + GAMMA * h[:, :, None] * jacobian).L
    y = torch.zeros_like(gradient)
    for _ in range(SUBSTEPS):
        slope = gradient - _times(jacobian, y)
        first = torch.cholesky_solve(slope[:, :, None], factor)[:, :, 0]
        slope = slope - (1 - GAMMA) * h * _times(jacobian, first)
        second = torch.cholesky_solve(slope[:, :, None], factor)[:, :, 0]
        y = y + h * ((1 - GAMMA) * first + GAMMA * second)
    return y


def _times(symmetric: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    return torch.bmm(vector[:, None], symmetric)[:, 0]
