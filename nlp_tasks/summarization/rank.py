"""How important each sentence is: TextRank, LexRank, centroid, lead.

Every function takes the terms of a batch and returns one score per sentence, (S,), with 1.0 for the best of
each document.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nlp_tasks.summarization.terms import Blocks, Terms

#: The chance to follow an edge rather than to start anew (Brin and Page 1998).
DAMPING = 0.85
#: 0.85^30 < 0.01, and what is left is far smaller than the gap between neighbours in rank. A fixed number,
#: so that a document's scores do not depend on how slowly another one converges.
ITERATIONS = 30
_TINY = 1e-12


def textrank(terms: Terms, restart: Tensor | None = None) -> Tensor:
    """TextRank (Mihalcea and Tarau 2004): sentences vote for those with which they share words.

    An edge weighs the number of words in common over the sentences' log lengths, as in the paper, but over
    their geometric mean, not their sum: the graph then stays a product of two sparse matrices.
    """
    length = torch.log(terms.row_sums(terms.counts).clamp(min=1)) + 1
    values = torch.ones_like(terms.counts) / length.sqrt()[terms.rows]
    return scaled(terms, _power(terms, values, restart))


def lexrank(terms: Terms, restart: Tensor | None = None) -> Tensor:
    """Continuous LexRank (Erkan and Radev 2004, section 3.3): edges weigh the tf-idf cosine."""
    return scaled(terms, _power(terms, cosine_values(terms), restart))


def centroid(terms: Terms, restart: Tensor | None = None) -> Tensor:
    """The tf-idf cosine of a sentence with its whole document (Radev et al. 2004)."""
    values = terms.counts * _idf(terms)[terms.columns]
    whole = torch.zeros_like(terms.column_document, dtype=values.dtype).index_add_(0, terms.columns, values)
    scores = terms.row_sums(cosine_values(terms) * whole[terms.columns])
    return scaled(terms, scores if restart is None else scaled(terms, scores) + scaled(terms, restart))


def lead(terms: Terms, restart: Tensor | None = None) -> Tensor:
    """The earlier, the better."""
    del restart
    return 1 / (1 + terms.place.to(torch.float32))


def cosine_values(terms: Terms) -> Tensor:
    """Entries whose rows' inner products are the tf-idf cosines of the sentences."""
    values = terms.counts * _idf(terms)[terms.columns]
    return values / (terms.row_sums(values**2).sqrt() + _TINY)[terms.rows]


def scaled(terms: Terms, scores: Tensor) -> Tensor:
    """The scores over the greatest of their document."""
    greatest = torch.zeros_like(terms.lengths, dtype=scores.dtype)
    greatest.scatter_reduce_(0, terms.document, scores, "amax")
    return scores / (greatest + _TINY)[terms.document]


def _idf(terms: Terms) -> Tensor:
    """Per column, how rare the term is among the document's sentences; above 0 for a term in all of them."""
    frequency = torch.bincount(terms.columns, minlength=len(terms.column_document)).to(torch.float32)
    return torch.log1p(terms.lengths[terms.column_document] / frequency)


def _power(terms: Terms, values: Tensor, restart: Tensor | None) -> Tensor:
    """PageRank over the graph A Aᵀ without its diagonal, (S,); each document's ranks sum to about 1.

    `restart` (S,) says where to start anew, and need not be normalised: everywhere alike by default.
    """
    graph, loops = terms.matrix(values), terms.row_sums(values**2)
    degree = _neighbours(graph, loops, torch.ones_like(loops))
    start = torch.ones_like(loops) if restart is None else restart
    start = start / (terms.document_sums(start) + _TINY)[terms.document]
    outward = torch.where(degree > 1e-6, 1 / degree.clamp(min=1e-6), 0)
    rank = start
    for _ in range(ITERATIONS):
        rank = (1 - DAMPING) * start + DAMPING * _neighbours(graph, loops, rank * outward)
    return rank


def _neighbours(graph: Blocks, loops: Tensor, x: Tensor) -> Tensor:
    return graph.gram(x) - loops * x


METHODS = {"textrank": textrank, "lexrank": lexrank, "centroid": centroid, "lead": lead}
