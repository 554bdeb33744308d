"""A linear chain over tags, the last layer of a network: the probability of a sequence of tags is that of all its
scores and transitions together (Lafferty et al. 2001, Lample et al. 2016)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TagChain(nn.Module):
    """Scores of transitions between K tags, of the first and of the last one."""

    def __init__(self, n_tags: int, forbidden: Tensor) -> None:
        """`forbidden` (K + 1, K) is True where a tag may not follow another; the last row is for the first tag."""
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(n_tags, n_tags))
        self.first = nn.Parameter(torch.zeros(n_tags))
        self.last = nn.Parameter(torch.zeros(n_tags))
        self.register_buffer("barrier", forbidden.float() * -1e4, persistent=False)
        self.barrier: Tensor

    def loss(self, scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """The mean over the sequences of minus the log probability of their tags. Scores (B, S, K), tags (B, S), mask
        (B, S), True for units; every sequence has one."""
        return (self._total(scores, mask) - self._of(scores, tags, mask)).mean()

    def _steps(self) -> tuple[Tensor, Tensor]:
        return self.transitions + self.barrier[:-1], self.first + self.barrier[-1]

    def steps(self) -> tuple[Tensor, Tensor, Tensor]:
        """The scores of transitions (K, K), of the first tag (K,) and of the last one (K,)."""
        return *self._steps(), self.last

    def _of(self, scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """The score of these tags (B,)."""
        transitions, first = self._steps()
        units = scores.gather(2, tags[:, :, None])[:, :, 0] * mask
        steps = transitions[tags[:, :-1], tags[:, 1:]] * mask[:, 1:]
        ends = tags.gather(1, mask.sum(1, keepdim=True) - 1)[:, 0]
        return units.sum(1) + steps.sum(1) + first[tags[:, 0]] + self.last[ends]

    def _total(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The logarithm of the sum over all sequences of tags (B,)."""
        return torch.logsumexp(self._forward(scores, mask)[:, -1] + self.last, dim=1)

    def _forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        """For each unit and tag, the sum over all ways to get there (B, S, K). Beyond the end it stays as it is."""
        transitions, first = self._steps()
        sums = [scores[:, 0] + first]
        for place in range(1, scores.shape[1]):
            step = torch.logsumexp(sums[-1][:, :, None] + transitions, dim=1) + scores[:, place]
            sums.append(torch.where(mask[:, place, None], step, sums[-1]))
        return torch.stack(sums, dim=1)

    def _backward(self, scores: Tensor, mask: Tensor) -> Tensor:
        """For each unit and tag, the sum over all ways to go on from there (B, S, K)."""
        transitions, _ = self._steps()
        sums = [self.last.expand(len(scores), -1)]
        for place in range(scores.shape[1] - 1, 0, -1):
            step = torch.logsumexp(transitions + (scores[:, place] + sums[-1])[:, None, :], dim=2)
            sums.append(torch.where(mask[:, place, None], step, sums[-1]))
        return torch.stack(sums[::-1], dim=1)

    def decode(self, scores: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The best tags (B, S), and the probability of each (B, S)."""
        transitions, first = self._steps()
        best, ways = scores[:, 0] + first, []
        for place in range(1, scores.shape[1]):
            value, way = (best[:, :, None] + transitions).max(dim=1)
            here = mask[:, place, None]
            best = torch.where(here, value + scores[:, place], best)
            # Beyond the end a tag leads back to itself.
            ways.append(torch.where(here, way, torch.arange(way.shape[1], device=way.device)))
        found = [(best + self.last).argmax(dim=1)]
        for way in reversed(ways):
            found.append(way.gather(1, found[-1][:, None])[:, 0])
        tags = torch.stack(found[::-1], dim=1)
        return tags, self._probabilities(scores, mask).gather(2, tags[:, :, None])[:, :, 0]

    def _probabilities(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The probability of each tag at each unit (B, S, K)."""
        sums = self._forward(scores, mask) + self._backward(scores, mask)
        return torch.softmax(sums, dim=2)


def forbidden(names: list[str]) -> Tensor:
    """Where a tag may not follow another (K + 1, K): an I-X only follows B-X and I-X."""
    rows = [[_breaks(before, name) for name in names] for before in names]
    return torch.tensor([*rows, [name.startswith("I-") for name in names]])


def _breaks(before: str, name: str) -> bool:
    return name.startswith("I-") and before not in (f"B-{name[2:]}", name)
