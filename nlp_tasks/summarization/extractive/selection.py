"""Selects the sentences of each summary: the best ones that do not repeat each other, within its limits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nlp_tasks.summarization.extractive.term_matrix import Graph, Terms

#: Values closer than this count as equal, and the earlier sentence is chosen, so that rounding does not decide.
_TIE = 1e-5


def choose(
    terms: Terms,
    edges: Graph,
    scores: Tensor,
    sizes: Tensor,
    limits: Tensor,
    max_chars: int,
    diversity: float,
    beat: Callable[[], None],
) -> Tensor:
    """Maximal marginal relevance (Carbonell and Goldstein 1998) for all documents at once. Returns a mask (S,).

    `sizes` are the lengths of the sentences in characters (S,), `limits` the maximum number of sentences of each
    document (D,). The first sentence of a summary may be longer than `max_chars` (0 for no limit).
    """
    chosen = torch.zeros_like(scores, dtype=torch.bool)  # (S,)
    repeated = torch.zeros_like(scores)  # (S,)
    room = torch.full_like(terms.lengths, max_chars or torch.iinfo(torch.int64).max)  # (D,)
    steps = int(torch.minimum(limits, terms.lengths).max())
    for step in range(steps):
        fits = sizes <= room[terms.document] if step and max_chars else torch.ones_like(chosen)
        free = fits & ~chosen & (step < limits)[terms.document]
        value = (1 - diversity) * scores - diversity * repeated
        best = _best(terms, value.masked_fill(~free, -torch.inf))
        chosen[best] = True
        if max_chars:
            room[terms.document[best]] -= sizes[best]
        if diversity and step + 1 < steps:
            told = torch.zeros_like(scores).index_fill_(0, best, 1.0)
            repeated = torch.maximum(repeated, edges.cosines(told))
        beat()
    return chosen


def _best(terms: Terms, value: Tensor) -> Tensor:
    """The sentence with the largest value in each document, the first of equals; none if all values are -inf."""
    greatest = torch.full_like(terms.lengths, -torch.inf, dtype=value.dtype)
    greatest.scatter_reduce_(0, terms.document, value, "amax")
    near = torch.nonzero((value >= greatest[terms.document] - _TIE) & (value > -torch.inf))[:, 0]
    document = terms.document[near]
    first = torch.ones_like(near, dtype=torch.bool)
    first[1:] = document[1:] != document[:-1]
    return near[first]
