"""Selects the sentences of each summary: the best ones that do not repeat each other, within its length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nlp_tasks.summarization.extractive import ranking, term_matrix
from nlp_tasks.summarization.extractive.term_matrix import Graph, Terms

#: Values closer than this count as equal, and the earlier sentence is chosen, so that rounding does not decide.
_TIE = 1e-5
#: What a sentence that leans on the one before it keeps of its score while that one is not chosen: if it would open the
#: summary, and otherwise.
OPENING, INSIDE = 0.25, 0.9
#: A sentence is a near-duplicate of a chosen one if it shares this part of the content words of the shorter of the two,
#: weighted by idf. One average word is added to the shorter one: two short sentences soon share most of their words.
DUPLICATE = 0.6
#: Rounding errors of what two sentences share.
_SAME = 1e-4
#: With a limit in characters, a score counts per size to this power. With 1, the greedy choice for a knapsack, short
#: sentences fill the summary; with 0 a long sentence costs nothing (Lin and Bilmes 2010).
SIZE_POWER = 0.25


@dataclass(frozen=True)
class Lengths:
    """How long each summary may be."""

    #: The sentences' lengths in characters (S,).
    sizes: Tensor
    #: The maximum number of sentences of each document (D,).
    sentences: Tensor
    #: The maximum number of characters of each document, with a blank between sentences (D,); None for no limit.
    chars: Tensor | None


@dataclass(frozen=True)
class Manner:
    """How sentences are weighed against each other."""

    #: From 0 to 1: what repetition costs (MMR). With 0 even duplicates are taken.
    diversity: float
    #: With a limit in characters, whether a long sentence must be worth more than a short one.
    by_worth: bool = True


def choose(
    terms: Terms,
    edges: Graph,
    scores: Tensor,
    leans: Tensor,
    lengths: Lengths,
    manner: Manner,
    beat: Callable[[], None],
) -> Tensor:
    """Maximal marginal relevance (Carbonell and Goldstein 1998) for all documents at once. Returns a mask (S,).

    `leans` (S,) marks the sentences that need the one before them. A summary may be longer than its limit in characters
    only if every sentence is: then it is the shortest one.
    """
    chosen = torch.zeros_like(scores, dtype=torch.bool)  # (S,)
    opening = terms.lengths.clone()  # (D,) the place of the first chosen sentence
    room = _room(terms, lengths)  # (D,)
    cost = _cost(lengths, manner)  # (S,)
    repetition = _Repetition(terms, edges) if manner.diversity else None
    steps = int(torch.minimum(lengths.sentences, terms.lengths).max())
    for step in range(steps):
        free = ~chosen & (step < lengths.sentences)[terms.document]
        if room is not None:
            free &= lengths.sizes < room[terms.document]
            free &= ~(leans & _before(terms, opening))
        value = scores * _standing(terms, leans, chosen, opening)
        if repetition is not None:
            free &= repetition.overlap < DUPLICATE
            value = (1 - manner.diversity) * value - manner.diversity * repetition.similarity
        value = torch.where(value > 0, value / cost, value)
        best = _best(terms, value.masked_fill(~free, -torch.inf))
        if not len(best):
            break
        chosen[best] = True
        of_best = terms.document[best]
        opening[of_best] = torch.minimum(opening[of_best], terms.place[best])
        if room is not None:
            room[of_best] -= lengths.sizes[best] + 1
        if repetition is not None and step + 1 < steps:
            repetition.add(best)
        beat()
    return chosen


def _room(terms: Terms, lengths: Lengths) -> Tensor | None:
    """The characters that each summary has, (D,), each sentence with the blank after it."""
    if lengths.chars is None:
        return None
    shortest = torch.full_like(terms.lengths, torch.iinfo(torch.int64).max)
    shortest.scatter_reduce_(0, terms.document, lengths.sizes, "amin")
    return torch.maximum(lengths.chars, shortest) + 1


def _before(terms: Terms, opening: Tensor) -> Tensor:
    """The sentences before the first chosen one of their document, (S,); none if none is chosen yet."""
    of_each = opening[terms.document]
    return (terms.place < of_each) & (of_each < terms.lengths[terms.document])


def _cost(lengths: Lengths, manner: Manner) -> Tensor:
    sizes = lengths.sizes.clamp(min=1).to(torch.float32)
    return (
        torch.pow(sizes, SIZE_POWER)
        if lengths.chars is not None and manner.by_worth
        else torch.ones_like(sizes)
    )


def _standing(terms: Terms, leans: Tensor, chosen: Tensor, opening: Tensor) -> Tensor:
    """What each sentence keeps of its score because of the sentences that it leans on, (S,)."""
    follows = torch.zeros_like(chosen)
    follows[1:] = chosen[:-1] & (terms.place[1:] > 0)
    kept = torch.where(terms.place < opening[terms.document], OPENING, INSIDE)
    return torch.where(leans & ~follows, kept, 1.0)


class _Repetition:
    """How much of each sentence the chosen ones have said."""

    def __init__(self, terms: Terms, edges: Graph) -> None:
        self._terms, self._edges = terms, edges
        # The edge between two sentences is the sum of the idf of their common words.
        self._common = term_matrix.graph(terms, ranking.idf(terms)[terms.columns].sqrt())
        mass = self._common.loops
        n_words = terms.document_sums(terms.row_sums(torch.ones_like(terms.counts)))
        self._word = (terms.document_sums(mass) / n_words.clamp(min=1))[
            terms.document
        ]  # (S,) of an average word
        self.similarity = torch.zeros_like(edges.loops)  # (S,)
        self.overlap = torch.zeros_like(edges.loops)  # (S,)

    def add(self, best: Tensor) -> None:
        """At most one sentence of each document was chosen."""
        said = torch.zeros_like(self.similarity).index_fill_(0, best, 1.0)
        self.similarity = torch.maximum(self.similarity, self._edges.cosines(said))
        mass = self._common.loops
        of_said = torch.zeros_like(self._terms.lengths, dtype=mass.dtype)
        of_said[self._terms.document[best]] = mass[best]
        smaller = torch.minimum(mass, of_said[self._terms.document])
        common = self._common.neighbours(said)
        shared = common / (smaller + self._word).clamp(min=1e-12)
        larger = torch.maximum(mass, of_said[self._terms.document])
        # The same words again, however few they are.
        same = (larger > 0) & (common >= (1 - _SAME) * larger)
        self.overlap = torch.maximum(self.overlap, torch.where(same, 1.0, shared))


def _best(terms: Terms, value: Tensor) -> Tensor:
    """The sentence with the largest value in each document, the first of equals; none if all values are -inf."""
    greatest = torch.full_like(terms.lengths, -torch.inf, dtype=value.dtype)
    greatest.scatter_reduce_(0, terms.document, value, "amax")
    near = torch.nonzero((value >= greatest[terms.document] - _TIE) & (value > -torch.inf))[:, 0]
    document = terms.document[near]
    first = torch.ones_like(near, dtype=torch.bool)
    first[1:] = document[1:] != document[:-1]
    return near[first]
