"""Decoding: beam search, greedy search (one beam) and sampling.

The text of a document does not depend on the other documents in its batch (up to rounding).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from nlp_tasks.summarization.abstractive.encoder_input import Sources
from nlp_tasks.summarization.abstractive.network import Memory, Network
from nlp_tasks.summarization.abstractive.subwords import BEGIN, END, PAD, UNKNOWN

#: Scores are divided by length to this power, so that longer texts are not at a disadvantage (Wu et al. 2016).
LENGTH_PENALTY = 1.0
#: The default maximum number of tokens.
MAX_TOKENS = 60


@dataclass(frozen=True)
class Decoding:
    """How to choose the next token."""

    #: Hypotheses kept at each step; 1 for greedy search.
    beams: int = 4
    #: No n-gram of this size is written twice; 0 for no limit.
    no_repeat: int = 3
    #: The maximum number of tokens written; 0 for the default of the model.
    max_tokens: int = 0
    min_tokens: int = 1
    #: Draw each token at random instead of taking the best; then there is one hypothesis.
    sample: bool = False
    temperature: float = 1.0
    #: Draw only from the k most probable tokens; 0 for all.
    top_k: int = 0
    #: Draw only from the most probable tokens whose probabilities sum to this.
    top_p: float = 1.0


@dataclass
class Hypothesis:
    """A text that is being written."""

    ids: list[int]
    score: float = 0.0
    #: From n - 1 tokens to the tokens that followed them, so that no n-gram is repeated.
    followed: dict[tuple[int, ...], set[int]] = field(default_factory=dict)

    def grown(self, id_: int, score: float, n: int) -> Hypothesis:
        """The hypothesis with one more token."""
        ids = [*self.ids, id_]
        followed = self.followed
        if n and len(ids) >= n:
            before = tuple(ids[-n:-1])
            followed = followed | {before: followed.get(before, set()) | {id_}}
        return Hypothesis(ids, score, followed)

    def forbidden(self, n: int) -> set[int]:
        """The tokens that would repeat an n-gram."""
        if not n or len(self.ids) < n - 1:
            return set()
        return self.followed.get(tuple(self.ids[len(self.ids) - n + 1 :]), set())


def write(
    network: Network,
    sources: Sources,
    how: Decoding,
    seeds: Sequence[int],
    beat: Callable[[], None] = lambda: None,
) -> list[list[int]]:
    """The token ids for each document, without BEGIN and END. `seeds` has one seed per document, for sampling."""
    network.eval()
    with torch.inference_mode():
        search = _Search(network, sources, how, seeds)
        while not search.finished():
            search.step()
            beat()
    return search.best()


class _Search:
    """The hypotheses of B documents, K for each, which grow by one token in each step."""

    def __init__(self, network: Network, sources: Sources, how: Decoding, seeds: Sequence[int]) -> None:
        self._network, self._how = network, how
        self._k = 1 if how.sample else how.beams
        self._open = [[Hypothesis([])] for _ in seeds]
        self._ended: list[list[tuple[float, list[int]]]] = [[] for _ in seeds]
        self._random = [np.random.default_rng(seed) for seed in seeds]
        self._memory, self._state = network.read(sources)
        self._owners = list(range(len(seeds)))  # the document of each row of `_rows`
        self._rows = self._memory
        self._device = sources.ids.device

    def finished(self) -> bool:
        return not any(self._open)

    def best(self) -> list[list[int]]:
        return [max(ended, key=lambda one: one[0])[1] for ended in self._ended]

    def step(self) -> None:
        owners = [document for document, open_ in enumerate(self._open) for _ in open_]
        grown = [hypothesis for open_ in self._open for hypothesis in open_]
        last = torch.tensor([one.ids[-1] if one.ids else BEGIN for one in grown], device=self._device)
        chances, states = self._network.next(self._of(owners), self._state, last)
        chances = self._allowed(chances, grown)
        if self._how.sample:
            chances = self._drawn(chances, owners)
        n = min(2 * self._k, chances.shape[1])
        values, ids = (found.tolist() for found in chances.topk(n))  # at least K of them do not end
        rows = iter(range(len(grown)))
        kept: list[int] = []
        for document, open_ in enumerate(self._open):
            mine = [next(rows) for _ in open_]
            candidates = [
                (grown[row].score + value, row, id_)
                for row in mine
                for value, id_ in zip(values[row], ids[row], strict=True)
                if value > -torch.inf
            ]
            self._open[document], of_rows = self._next(document, candidates, grown)
            kept += of_rows
        self._state = states[:, kept]

    def _next(
        self, document: int, candidates: list[tuple[float, int, int]], grown: list[Hypothesis]
    ) -> tuple[list[Hypothesis], list[int]]:
        """The K best continuations, and the rows that they come from; those that end are put aside."""
        ended, going, rows = self._ended[document], [], []
        for score, row, id_ in sorted(candidates, key=lambda one: (-one[0], one[1], one[2])):
            if id_ == END or len(grown[row].ids) + 1 >= (self._how.max_tokens or MAX_TOKENS):
                ids = grown[row].ids if id_ == END else [*grown[row].ids, id_]
                ended.append((score / (len(ids) + 1) ** LENGTH_PENALTY, ids))
            else:
                going.append(grown[row].grown(id_, score, self._how.no_repeat))
                rows.append(row)
            if len(going) == self._k or len(ended) >= 2 * self._k:
                break
        return ([], []) if len(ended) >= self._k else (going, rows)

    def _of(self, owners: list[int]) -> Memory:
        if owners != self._owners:
            self._rows = self._memory.of(torch.tensor(owners, device=self._device))
            self._owners = owners
        return self._rows

    def _allowed(self, chances: Tensor, grown: list[Hypothesis]) -> Tensor:
        chances[:, [PAD, BEGIN, UNKNOWN]] = -torch.inf
        for row, one in enumerate(grown):
            forbidden = one.forbidden(self._how.no_repeat)
            if len(one.ids) < self._how.min_tokens:
                forbidden = forbidden | {END}
            if forbidden:
                chances[row, list(forbidden)] = -torch.inf
        return chances

    def _drawn(self, chances: Tensor, owners: list[int]) -> Tensor:
        """Log probabilities plus noise, so that the largest one is a random draw (the Gumbel-max trick)."""
        return noisy(
            cut(chances / self._how.temperature, self._how.top_k, self._how.top_p),
            [self._random[document] for document in owners],
        )


def cut(scores: Tensor, top_k: int, top_p: float) -> Tensor:
    """Scores (B, V) with -inf for all but the `top_k` best, and for all but the best ones whose probabilities sum to
    `top_p`."""
    if top_k and top_k < scores.shape[1]:
        scores = scores.masked_fill(scores < scores.topk(top_k).values[:, -1:], -torch.inf)
    if top_p < 1:
        ordered, places = scores.sort(dim=1, descending=True)
        chances = torch.softmax(ordered, 1)
        beyond = chances.cumsum(1) - chances >= top_p
        scores = scores.masked_fill(beyond.gather(1, places.argsort(1)), -torch.inf)
    return scores


def noisy(scores: Tensor, randoms: Sequence[np.random.Generator]) -> Tensor:
    """Scores (B, V) plus Gumbel noise, from a separate generator for each row."""
    noise = np.stack([random.gumbel(size=scores.shape[1]) for random in randoms])
    return scores + torch.from_numpy(noise).to(scores)
