"""How important each sentence is: TextRank, LexRank, centroid, lead.

Knows terms and graphs, not text. All functions work on a whole batch; what they say of a document does not
depend on the others.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nlp_tasks.summarization.extractive.term_matrix import Graph, Terms

#: The chance to follow an edge rather than to start anew (Brin and Page 1998).
DAMPING = 0.85
#: The same when starting anew means going back to what a query asks for.
DAMPING_ASKED = 0.3
#: Sentence graphs mix fast: after 10 the choice changes no more (measured). A fixed number, so that a document's scores
#: do not depend on how slowly another one converges.
ITERATIONS = 15
#: How much of a sentence's own length counts against it, rather than the document's mean (Singhal, Buckley
#: and Mitra 1996). With 1 (cosine) one-word utterances win transcripts, with 0 the longest sentences win.
SLOPE = 0.85
#: Sentences with fewer words than this count for less, in proportion: "Yes." sums up nothing.
FULL_WORDS = 10
#: This share of a document is its beginning, and one sentence at least.
BEGINNING = 0.06


def edge_values(terms: Terms, method: str) -> Tensor:
    """The entries (E,) of the matrix A whose product A Aᵀ holds the weights of the edges.

    lexrank (and whatever needs no graph): tf-idf cosine, continuous LexRank (Erkan and Radev 2004, 3.3).
    textrank: words in common over a measure of the sentences' lengths, as in Mihalcea and Tarau 2004, but
    words weigh by idf (Barrios et al. 2016) and lengths enter as a product, so that the graph stays factored.
    """
    idf = _idf(terms)[terms.columns]
    if method != "textrank":
        values = terms.counts * idf
        return values / terms.row_sums(values**2).sqrt()[terms.rows]
    norms = terms.row_sums(idf**2).sqrt()
    mean = terms.document_sums(norms) / terms.lengths
    pivoted = (1 - SLOPE) * mean[terms.document] + SLOPE * norms
    return idf / pivoted[terms.rows]


def importance(terms: Terms, edges: Graph, method: str, asked: bool = False) -> Tensor:
    """The score of each sentence by its content, (S,), 1.0 for the best of its document.

    `asked`: walks start anew at what the query asks for (biased LexRank, Otterbacher et al. 2005), centroids
    move to it. The lead is what it is.
    """
    if method == "lead":
        return 1 / (1 + terms.place.to(torch.float32))
    answers = _answers(terms, edges) if asked else None
    if method == "centroid":
        centroid = _centroid(terms, edges)
        scores = centroid if answers is None else DAMPING_ASKED * centroid + (1 - DAMPING_ASKED) * answers
    else:
        scores = pagerank(terms, edges, answers)
    words = terms.row_sums(terms.counts)
    return terms.scaled(scores * (words / FULL_WORDS).clamp(max=1))


def raised(terms: Terms, scores: Tensor, position: float) -> Tensor:
    """The scores with those of the document's beginning raised, up to 1 + `position` times, (S,)."""
    reach = (BEGINNING * terms.lengths).clamp(min=1)[terms.document]
    return terms.scaled(scores * (1 + position * torch.exp(-terms.place / reach)))


def pagerank(terms: Terms, edges: Graph, restart: Tensor | None = None) -> Tensor:
    """The stationary probability of each sentence in its document's graph, (S,).

    `restart` (S,) says where to start anew and need not be normalised: everywhere alike by default.
    """
    start = torch.ones_like(edges.loops) if restart is None else restart
    start = start / terms.document_sums(start)[terms.document]
    degree = edges.neighbours(torch.ones_like(edges.loops))
    joined = degree > 1e-5 * edges.loops  # less is what rounding leaves of a sentence that shares no word
    outward = torch.where(joined, 1 / degree, 0)
    damping = DAMPING if restart is None else DAMPING_ASKED
    rank = start
    for _ in range(ITERATIONS):
        rank = (1 - damping) * start + damping * edges.neighbours(rank * outward)
    return rank


def _answers(terms: Terms, edges: Graph) -> Tensor:
    """How much each sentence says of what the query asks for, (S,); never 0, for then a walk could not start."""
    return terms.scaled(edges.forward @ (_idf(terms) * terms.asked)) + 1e-3


def _centroid(terms: Terms, edges: Graph) -> Tensor:
    """The cosine of each sentence with the sum of its document's sentences (Radev et al. 2004), (S,)."""
    return terms.scaled(edges.cosines(edges.loops.sqrt()))


def _idf(terms: Terms) -> Tensor:
    """Per column, how rare the term is among the document's sentences; above 0 for a term in all of them."""
    frequency = terms.column_sums(torch.ones_like(terms.counts))
    return torch.log1p(terms.lengths[terms.column_document] / frequency)
