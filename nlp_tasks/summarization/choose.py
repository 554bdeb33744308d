"""The sentences of each summary: the best ones, less what they repeat, within its limits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nlp_tasks.summarization.terms import Terms


def choose(
    terms: Terms,
    scores: Tensor,
    similar: Callable[[Tensor], Tensor],
    sizes: Tensor,
    limits: Tensor,
    max_chars: int,
    diversity: float,
    beat: Callable[[], None],
) -> Tensor:
    """Maximal marginal relevance (Carbonell and Goldstein 1998) in all documents at once; a mask, (S,).

    `similar` maps a mask of at most one sentence per document to the similarity of every sentence with it,
    (S,). `sizes` are the sentences' characters (S,), `limits` the most sentences of each document (D,).
    """
    chosen = torch.zeros_like(scores, dtype=torch.bool)  # (S,)
    redundancy = torch.zeros_like(scores)  # (S,)
    room = torch.full_like(terms.lengths, max_chars or torch.iinfo(torch.int64).max)  # (D,)
    for step in range(int(limits.max())):
        fits = (sizes <= room[terms.document]) | (step == 0)
        open_ = fits & ~chosen & (step < limits)[terms.document]
        if not bool(open_.any()):
            break
        value = (1 - diversity) * scores - diversity * redundancy
        best = _best(terms, value.masked_fill(~open_, -torch.inf))  # (S,) mask
        chosen |= best
        room -= terms.document_sums(sizes * best)
        if diversity and step + 1 < int(limits.max()):
            redundancy = torch.maximum(redundancy, similar(best.to(scores.dtype)))
        beat()
    return chosen


def _best(terms: Terms, value: Tensor) -> Tensor:
    """A mask of each document's greatest value, the first if there are several; none where all are -inf."""
    greatest = torch.full_like(terms.lengths, -torch.inf, dtype=value.dtype)
    greatest.scatter_reduce_(0, terms.document, value, "amax")
    ties = (value == greatest[terms.document]) & (value > -torch.inf)
    place = torch.where(ties, terms.place, terms.place.max() + 1)
    first = torch.full_like(terms.lengths, int(place.max()) + 1)
    first.scatter_reduce_(0, terms.document, place, "amin")
    return ties & (terms.place == first[terms.document])
