"""From the candidates of many documents to the sentences of their summaries.

Knows the words and the length of each sentence, not its text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from nlp_tasks.summarization import SummarizeParameters
from nlp_tasks.summarization.extractive import ranking, term_matrix
from nlp_tasks.summarization.extractive.candidates import Candidates
from nlp_tasks.summarization.extractive.selection import Lengths, Manner, choose
from nlp_tasks.summarization.extractive.term_matrix import Terms


@dataclass(frozen=True, slots=True)
class Extract:
    """The chosen sentences of a document, by their index in it, in document order."""

    places: list[int]
    #: One for each place; 1.0 for the most important sentence of the document.
    scores: list[float]


def extract(
    documents: Sequence[Candidates],
    parameters: SummarizeParameters,
    query: Sequence[str] = (),
    device: str = "cpu",
    beat: Callable[[], None] = lambda: None,
) -> list[Extract]:
    """One Extract for each document, which must have at least one sentence.

    The result for a document does not depend on the others. Memory and time are linear in the number of tokens (and
    time in the number of sentences kept), not quadratic in the number of sentences.
    """
    if not documents:
        return []
    batch = term_matrix.count([document.words for document in documents], query, device)
    edges = term_matrix.graph(batch, ranking.edge_values(batch, parameters.method))
    scores = ranking.importance(batch, edges, parameters.method, asked=bool(query))
    is_lead = parameters.method == "lead"
    leans = _column([document.leans for document in documents], torch.bool, device)
    if is_lead:
        leans = torch.zeros_like(leans)
    else:
        scores = scores * _column([document.worth for document in documents], scores.dtype, device)
        scores = batch.scaled(scores) if query else ranking.raised(batch, scores, parameters.position)
    sizes = _column([document.sizes for document in documents], torch.int64, device)
    chosen = choose(
        batch,
        edges,
        scores,
        leans,
        _lengths(batch, sizes, parameters),
        Manner(0.0 if is_lead else parameters.diversity, by_worth=not is_lead),
        beat,
    )
    return _extracts(batch, chosen, scores)


def _column(values: Sequence[Sequence[float]], dtype: torch.dtype, device: str) -> Tensor:
    """One value for each sentence of the batch, (S,)."""
    return torch.tensor(list(chain.from_iterable(values)), dtype=dtype, device=device)


def _lengths(batch: Terms, sizes: Tensor, parameters: SummarizeParameters) -> Lengths:
    """The limits of each summary. Exactly one of max_chars, ratio and sentences holds, the first one that is set."""
    if parameters.max_chars:
        return Lengths(sizes, batch.lengths, torch.full_like(batch.lengths, parameters.max_chars))
    if parameters.ratio:
        room = (batch.document_sums(sizes) * parameters.ratio).to(torch.int64)
        return Lengths(sizes, batch.lengths, room)
    return Lengths(sizes, torch.full_like(batch.lengths, parameters.sentences), None)


def _extracts(batch: Terms, chosen: Tensor, scores: Tensor) -> list[Extract]:
    extracts = [Extract([], []) for _ in range(len(batch.lengths))]
    columns = (batch.document[chosen], batch.place[chosen], scores[chosen])
    for document, place, score in zip(*(column.tolist() for column in columns), strict=True):
        extracts[document].places.append(place)
        extracts[document].scores.append(score)
    return extracts
