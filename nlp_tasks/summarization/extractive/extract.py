"""From the tokens of the sentences of many documents to the sentences of their summaries.

Knows the tokens and the length of each sentence, not its text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from nlp_tasks.summarization import SummarizeParameters
from nlp_tasks.summarization.extractive import ranking, term_matrix
from nlp_tasks.summarization.extractive.selection import choose
from nlp_tasks.summarization.extractive.term_matrix import Sentences, Terms


@dataclass(frozen=True, slots=True)
class Extract:
    """The chosen sentences of a document, by their index in it, in document order."""

    places: list[int]
    #: One for each place; 1.0 for the most important sentence of the document.
    scores: list[float]


def extract(
    documents: Sequence[Sentences],
    sizes: Sequence[Sequence[int]],
    parameters: SummarizeParameters,
    query: Sequence[str] = (),
    device: str = "cpu",
    beat: Callable[[], None] = lambda: None,
) -> list[Extract]:
    """One Extract for each document, which must have at least one sentence; `sizes` are the sentences' lengths in
    characters.

    The result for a document does not depend on the others. Memory and time are linear in the number of tokens (and
    time in the number of sentences kept), not quadratic in the number of sentences.
    """
    if not documents:
        return []
    batch = term_matrix.count(documents, query, device)
    edges = term_matrix.graph(batch, ranking.edge_values(batch, parameters.method))
    scores = ranking.importance(batch, edges, parameters.method, asked=bool(query))
    if parameters.method != "lead" and not query:
        scores = ranking.raised(batch, scores, parameters.position)
    chosen = choose(
        batch,
        edges,
        scores,
        sizes=torch.tensor(list(chain.from_iterable(sizes)), device=device, dtype=torch.int64),
        limits=_limits(batch, parameters),
        max_chars=parameters.max_chars,
        diversity=parameters.diversity if parameters.method != "lead" else 0.0,
        beat=beat,
    )
    return _extracts(batch, chosen, scores)


def _limits(batch: Terms, parameters: SummarizeParameters) -> Tensor:
    """The maximum number of sentences of each summary, (D,)."""
    if not parameters.ratio:
        return torch.full_like(batch.lengths, parameters.sentences)
    return torch.ceil(batch.lengths * parameters.ratio).to(torch.int64).clamp(min=1)


def _extracts(batch: Terms, chosen: Tensor, scores: Tensor) -> list[Extract]:
    extracts = [Extract([], []) for _ in range(len(batch.lengths))]
    columns = (batch.document[chosen], batch.place[chosen], scores[chosen])
    for document, place, score in zip(*(column.tolist() for column in columns), strict=True):
        extracts[document].places.append(place)
        extracts[document].scores.append(score)
    return extracts
