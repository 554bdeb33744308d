"""From the tokens of many documents' sentences to the sentences that sum each of them up.

Knows tokens, not text: what a sentence says and how long it is stands in its tokens and its size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nlp_tasks.summarization import SummarizeParameters, choose, rank, terms
from nlp_tasks.summarization.terms import Sentences, Terms


@dataclass(frozen=True, slots=True)
class Extract:
    """The chosen sentences of one document, by their places in it, in document order."""

    places: list[int]
    #: One per place; 1.0 for the most important sentence of the document.
    scores: list[float]


def extract(
    documents: Sequence[Sentences],
    sizes: Sequence[Sequence[int]],
    parameters: SummarizeParameters,
    query: Sequence[str] = (),
    device: str = "cpu",
    beat: Callable[[], None] = lambda: None,
) -> list[Extract]:
    """One Extract per document, each of which has a sentence at least; `sizes` are the sentences' characters.

    What is chosen in a document does not depend on the others. Memory and time grow with the number of tokens
    (and time with the number of sentences kept), never with the square of the number of sentences.
    """
    if not documents:
        return []
    batch = terms.count(documents, device)
    scores = _scores(batch, documents, parameters, query)
    cosine = batch.matrix(rank.cosine_values(batch))
    chosen = choose.choose(
        batch,
        scores,
        cosine.gram,
        sizes=torch.tensor([size for document in sizes for size in document], device=device),
        limits=_limits(batch, parameters),
        max_chars=parameters.max_chars,
        diversity=parameters.diversity,
        beat=beat,
    )
    return _extracts(batch, chosen, scores)


def _scores(
    batch: Terms, documents: Sequence[Sentences], parameters: SummarizeParameters, query: Sequence[str]
) -> Tensor:
    """The importance of each sentence (S,): the method's, raised for standing early in the document."""
    restart = None
    if query:
        hits = [_overlap(sentence, set(query)) for sentences in documents for sentence in sentences]
        restart = torch.tensor(hits, device=batch.rows.device) + 1e-3
    scores = rank.METHODS[parameters.method](batch, restart)
    early = 1 + parameters.position * torch.exp(-batch.place.to(torch.float32) / 3)
    return rank.scaled(batch, scores * early)


def _overlap(sentence: Sequence[str], query: set[str]) -> float:
    """How much of the query a sentence says, as the cosine of the two sets of words."""
    words = set(sentence)
    return len(words & query) / math.sqrt(max(len(words), 1) * len(query))


def _limits(batch: Terms, parameters: SummarizeParameters) -> Tensor:
    """How many sentences each summary has at most, (D,)."""
    if not parameters.ratio:
        return torch.full_like(batch.lengths, parameters.sentences)
    return torch.ceil(batch.lengths * parameters.ratio).to(torch.int64).clamp(min=1)


def _extracts(batch: Terms, chosen: Tensor, scores: Tensor) -> list[Extract]:
    extracts = [Extract([], []) for _ in range(len(batch.lengths))]
    kept = zip(
        batch.document[chosen].tolist(), batch.place[chosen].tolist(), scores[chosen].tolist(), strict=True
    )
    for document, place, score in kept:
        extracts[document].places.append(place)
        extracts[document].scores.append(score)
    return extracts
