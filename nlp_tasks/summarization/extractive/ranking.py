"""The importance of sentences: TextRank, LexRank, centroid, lead.

Knows terms and graphs, not text. All functions work on a whole batch; the results for a document do not depend on the
others.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nlp_tasks.summarization.extractive.term_matrix import Graph, Terms

#: The damping factor: the probability of following an edge instead of restarting (Brin and Page 1998).
DAMPING = 0.85
#: The same for walks that restart at the sentences that match a query.
DAMPING_ASKED = 0.3
#: Sentence graphs converge fast: after 10 iterations the choice no longer changes (measured). The number is fixed, so
#: that the scores of a document do not depend on the convergence of another one.
ITERATIONS = 15
#: The slope of pivoted length normalisation (Singhal, Buckley and Mitra 1996). With 1 (cosine) one-word utterances win
#: in transcripts; with 0 the longest sentences win.
SLOPE = 0.85
#: The scores of sentences with fewer content words are reduced in proportion: "Yes." is not a summary.
FULL_WORDS = 6
#: The beginning of a document is this share of its sentences, at least one.
BEGINNING = 0.05


def edge_values(terms: Terms, method: str) -> Tensor:
    """The entries (E,) of the matrix A; the edge weights are A Aᵀ.

    lexrank (and methods without a graph): tf-idf cosine, continuous LexRank (Erkan and Radev 2004, 3.3).
    textrank: common words divided by a measure of the sentences' lengths, as in Mihalcea and Tarau 2004, but words are
    weighted by idf (Barrios et al. 2016), and the lengths are multiplied, so that the graph stays factored.
    """
    weight = idf(terms)[terms.columns]
    if method != "textrank":
        values = terms.counts * weight
        return values / terms.row_sums(values**2).sqrt()[terms.rows]
    norms = terms.row_sums(weight**2).sqrt()
    mean = terms.document_sums(norms) / terms.lengths
    pivoted = (1 - SLOPE) * mean[terms.document] + SLOPE * norms
    return weight / pivoted[terms.rows]


def importance(terms: Terms, edges: Graph, method: str, asked: bool = False) -> Tensor:
    """The score of each sentence by its content, (S,); 1.0 for the best one of its document.

    `asked`: random walks restart at the sentences that match the query (biased LexRank, Otterbacher et al. 2005), and
    centroids move towards it. It does not affect `lead`.
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
    """The scores with those at the beginning of the document multiplied by up to 1 + `position`, (S,)."""
    reach = (BEGINNING * terms.lengths).clamp(min=1)[terms.document]
    return terms.scaled(scores * (1 + position * torch.exp(-terms.place / reach)))


def pagerank(
    terms: Terms, edges: Graph, restart: Tensor | None = None, damping: float | None = None
) -> Tensor:
    """The stationary probability of each sentence in its document's graph, (S,).

    `restart` (S,) is the restart distribution, which need not be normalised; uniform by default. `damping`
    is the probability of following an edge: less than usual with a restart, by default.
    """
    start = torch.ones_like(edges.loops) if restart is None else restart
    start = start / terms.document_sums(start)[terms.document]
    degree = edges.neighbours(torch.ones_like(edges.loops))
    joined = (
        degree > 1e-5 * edges.loops
    )  # a smaller degree is the rounding error of a sentence that shares no word
    outward = torch.where(joined, 1 / degree, 0)
    if damping is None:
        damping = DAMPING if restart is None else DAMPING_ASKED
    rank = start
    for _ in range(ITERATIONS):
        rank = (1 - damping) * start + damping * edges.neighbours(rank * outward)
    return rank


def _answers(terms: Terms, edges: Graph) -> Tensor:
    """The relevance of each sentence to the query, (S,); never 0, because a walk must be able to restart."""
    return terms.scaled(edges.forward @ (idf(terms) * terms.asked)) + 1e-3


def _centroid(terms: Terms, edges: Graph) -> Tensor:
    """The cosine of each sentence with the sum of its document's sentences (Radev et al. 2004), (S,)."""
    return terms.scaled(edges.cosines(edges.loops.sqrt()))


def idf(terms: Terms) -> Tensor:
    """For each column, the idf of the term among the sentences of its document; above 0 even if all have the term."""
    frequency = terms.column_sums(torch.ones_like(terms.counts))
    return torch.log1p(terms.lengths[terms.column_document] / frequency)
