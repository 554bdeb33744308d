"""Minimises |W|^2 / 2 + the sum of weighted squared hinge losses, for many labels at once.

Newton's method, with steps found by conjugate gradients (Keerthi & DeCoste 2005; Lin, Weng & Keerthi 2008, as in
LIBLINEAR). Each label has its own step sizes and stopping point, while each pass over the rows serves all labels. Knows
nothing of how rows are stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from nlp_tasks import heartbeat

#: A label has converged when its gradient is at most this share of the initial one, times the share of the rarer class:
#: most of the gradient of a rare label is in its bias. The rule and the value of LIBLINEAR.
TOLERANCE = 0.01
#: Relative residual at which conjugate gradients stop.
STEP_TOLERANCE = 0.1
#: Line search: a step is halved, at most HALVINGS times, until it gains this share of what the slope predicts.
LEAST_GAIN, HALVINGS = 0.01, 20


@dataclass(frozen=True)
class Hinges:
    """The losses. Weights are (F + 1, K); the last row, the bias, is not regularised."""

    #: Scores (N, K) of weights.
    scores: Callable[[torch.Tensor], torch.Tensor]
    #: Its transpose: from a number per row and label (N, K) to a number per weight (F + 1, K).
    pulled: Callable[[torch.Tensor], torch.Tensor]
    signs: torch.Tensor  # (N, K) 1 or -1
    costs: torch.Tensor  # (N, K)

    def total(self, scores: torch.Tensor) -> torch.Tensor:
        """The losses (K,) of scores (N, K)."""
        return (self.costs * self.short(scores).square()).sum(dim=0)

    def short(self, scores: torch.Tensor) -> torch.Tensor:
        """How far each score is below the margin (N, K)."""
        return (1 - self.signs * scores).clamp_min_(0)


@dataclass
class Passes:
    """Counts the remaining passes over the rows. Calls `beat` at each with the last known mean loss."""

    left: int
    beat: Callable[[float], None]
    loss: float = 0.0

    def spend(self) -> None:
        self.left -= 1
        self.beat(self.loss)


def minimise(hinges: Hinges, weights: torch.Tensor, passes: Passes) -> torch.Tensor:
    """The best weights (F + 1, K), starting from these; or the weights reached when the passes run out."""
    enough = _enough(hinges)
    scores = hinges.scores(weights)
    while passes.left > 0:
        short = hinges.short(scores)
        passes.loss = float((hinges.costs * short.square()).sum() / hinges.costs.sum())
        gradient = hinges.pulled(-2 * hinges.costs * short * hinges.signs) + _free(weights)
        passes.spend()
        is_open = gradient.norm(dim=0) > enough
        if not is_open.any():
            break
        step, change = _newton_step(hinges, gradient, short > 0, is_open, passes)
        size = _step_size(hinges, weights, scores, gradient, step, change)
        heartbeat.beat()
        weights = weights + size * step
        scores = scores + size * change
    return weights


def _enough(hinges: Hinges) -> torch.Tensor:
    at_zero = hinges.pulled(-2 * hinges.costs * hinges.signs).norm(dim=0)
    counted = hinges.costs > 0
    members = ((hinges.signs > 0) & counted).sum(dim=0)
    rarer = torch.minimum(members, counted.sum(dim=0) - members).clamp_min(1)
    enough: torch.Tensor = TOLERANCE * at_zero * rarer / counted.sum(dim=0).clamp_min(1)
    return enough


def _newton_step(
    hinges: Hinges, gradient: torch.Tensor, is_short: torch.Tensor, is_open: torch.Tensor, passes: Passes
) -> tuple[torch.Tensor, torch.Tensor]:
    """The step (F + 1, K) that solves curvature @ step = -gradient, and how it changes the scores (N, K)."""
    curvature = 2 * hinges.costs * is_short
    step, change = torch.zeros_like(gradient), torch.zeros_like(curvature)
    rest = -gradient
    way, size = rest.clone(), rest.square().sum(dim=0)
    enough = STEP_TOLERANCE**2 * size
    while passes.left > 0 and (goes_on := is_open & (size > enough)).any():
        way_scores = hinges.scores(way)
        heartbeat.beat()
        bent = hinges.pulled(curvature * way_scores) + _free(way)
        passes.spend()
        length = torch.where(goes_on, size / (way * bent).sum(dim=0), 0)
        step += length * way
        change += length * way_scores
        rest -= length * bent
        before, size = size, rest.square().sum(dim=0)
        way = rest + size / before.clamp_min(1e-30) * way
    return step, change


def _step_size(
    hinges: Hinges,
    weights: torch.Tensor,
    scores: torch.Tensor,
    gradient: torch.Tensor,
    step: torch.Tensor,
    change: torch.Tensor,
) -> torch.Tensor:
    """The step length of each label (K,). Scores are linear along the step, so that the search needs no pass."""
    along = (_free(weights) * step).sum(dim=0)
    square = _free(step).square().sum(dim=0)
    slope = (gradient * step).sum(dim=0)
    before = hinges.total(scores)
    size = torch.ones_like(slope)
    for _ in heartbeat.beating(range(HALVINGS)):
        gain = before - hinges.total(scores + size * change) - size * along - size.square() * square / 2
        too_far = gain < -LEAST_GAIN * size * slope
        if not too_far.any():
            return size
        size = torch.where(too_far, size / 2, size)
    return torch.where(too_far, 0, size)


def _free(weights: torch.Tensor) -> torch.Tensor:
    """The regularised weights: all but the bias."""
    costing = weights.clone()
    costing[-1] = 0
    return costing
