"""The gate of similarity models: a new model must recognise its own documents and their words, and keep the champion's
neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.kind import Candidate, Documents, Figure
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.exact_search import Index
from nlp_tasks.similarity.infer_runner import inference
from nlp_tasks.similarity.model import Model
from nlp_tasks.text import tokens

#: Size of the sample of training documents, spread evenly over all.
SAMPLE_DOCUMENTS = 1000
#: Neighbours that are compared; at most half the sample.
NEIGHBOURS = 10
#: A model that does not recognise most of its own documents has not learned: too few epochs, or too little text.
LEAST_SELF_RANK = 0.5
#: If the champion itself is below that, the new model may be lower by this much: two standard errors of 500 documents.
LESS_SELF_RANK = 0.05
#: By how much the share of unknown words may be above the champion's.
MORE_UNKNOWN = 0.02
#: Two trainings on the same documents with different seeds have more neighbours in common (docs/similarity.md).
LEAST_KEPT = 0.4


def judge(candidate: Candidate) -> list[Figure]:
    """The figures `self_rank`, `unknown_share` and, if there is a champion, `neighbours_kept`: the mean share of a
    document's nearest neighbours in the sample that both models have in common ("top-10 overlap 0.83"). Without a
    champion there are no thresholds. The champion's `self_rank` is shown beside that of a training that went on from
    another model. A weak champion lowers the threshold of `self_rank`."""
    new = models.load(candidate.model_dir)
    words = _sample(candidate.documents, candidate.beat)
    self_rank, unknown = candidate.metrics["self_rank"], _unknown_share(new, words)
    if candidate.champion_dir is None:
        return [Figure("self_rank", self_rank), Figure("unknown_share", unknown)]
    least = candidate.champion_metrics["self_rank"] - LESS_SELF_RANK
    old = models.load(candidate.champion_dir)
    common = [each for each in words if _known(new, each) and _known(old, each)]
    sets = [_neighbours(model, common, candidate.device, candidate.beat) for model in (new, old)]
    beside = []
    if new.started_from is not None:
        beside.append(Figure("champion_self_rank", candidate.champion_metrics["self_rank"]))
    return [
        Figure("self_rank", self_rank, at_least=min(LEAST_SELF_RANK, least)),
        *beside,
        Figure("unknown_share", unknown, at_most=_unknown_share(old, words) + MORE_UNKNOWN),
        Figure("neighbours_kept", _overlap(*sets), at_least=LEAST_KEPT),
    ]


def _sample(documents: Documents, beat: Callable[[], None]) -> list[list[str]]:
    """The words of some of the documents."""
    rows = set(np.linspace(0, len(documents) - 1, min(SAMPLE_DOCUMENTS, len(documents))).astype(int).tolist())
    words = []
    for row, document in enumerate(documents):
        beat()
        if row in rows:
            words.append(tokens(document.text))
    return words


def _known(model: Model, words: Sequence[str]) -> list[str]:
    return [word for word in words if word in model.numbers]


def _unknown_share(model: Model, documents: Sequence[Sequence[str]]) -> float:
    n_words = sum(map(len, documents))
    return 1.0 - sum(len(_known(model, words)) for words in documents) / max(n_words, 1)


def _neighbours(
    model: Model, documents: Sequence[Sequence[str]], device: str, beat: Callable[[], None]
) -> list[NDArray[np.int64]]:
    """The nearest neighbours of each document by this model."""
    vectors = inference(model, device, beat)([_known(model, words) for words in documents])
    k = min(NEIGHBOURS, len(documents) // 2)
    vectors = vectors - model.mean  # as in a search
    index = Index(vectors, [f"{row:04}" for row in range(len(documents))], device)
    return [rows for rows, _ in index.neighbours(np.arange(len(documents)), k, beat)]


def _overlap(left: list[NDArray[np.int64]], right: list[NDArray[np.int64]]) -> float:
    """The mean share of neighbours that both have; 1 if there are none to compare."""
    shares = [len(np.intersect1d(a, b)) / len(a) for a, b in zip(left, right, strict=True) if len(a)]
    return float(np.mean(shares)) if shares else 1.0
