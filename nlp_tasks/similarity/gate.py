"""Whether a new model may replace the champion: does it know its own documents, their words, and the old neighbours?"""

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

#: Training documents that are looked at, spread evenly over all.
SAMPLE_DOCUMENTS = 1000
#: Neighbours that are compared; half the sample where it is small.
NEIGHBOURS = 10
#: A model that does not find most of its own documents again has not learned them: too few epochs, too little text.
LEAST_SELF_RANK = 0.5
#: Where the champion itself found fewer, the new one may find so much less again: two standard errors of 500 documents.
LESS_SELF_RANK = 0.05
#: How many more of the running words may be unknown than to the champion.
MORE_UNKNOWN = 0.02
#: Two trainings on the same documents from other seeds share more of the neighbours than this (docs/similarity.md).
LEAST_KEPT = 0.4


def judge(candidate: Candidate) -> list[Figure]:
    """`self_rank`, `unknown_share` and, beside a champion, `neighbours_kept`: the mean share of a document's nearest
    in the sample that both models agree on ("top-10 overlap 0.83"). Without a champion nothing has a bar; a champion
    that never knew its own documents does not bar its like."""
    new = models.load(candidate.model_dir)
    words = _sample(candidate.documents, candidate.beat)
    self_rank, unknown = candidate.metrics["self_rank"], _unknown_share(new, words)
    if candidate.champion_dir is None:
        return [Figure("self_rank", self_rank), Figure("unknown_share", unknown)]
    least = candidate.champion_metrics["self_rank"] - LESS_SELF_RANK
    old = models.load(candidate.champion_dir)
    common = [each for each in words if _known(new, each) and _known(old, each)]
    sets = [_neighbours(model, common, candidate.device, candidate.beat) for model in (new, old)]
    return [
        Figure("self_rank", self_rank, at_least=min(LEAST_SELF_RANK, least)),
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
    """Each document's nearest others, by this model."""
    vectors = inference(model, device, beat)([_known(model, words) for words in documents])
    k = min(NEIGHBOURS, len(documents) // 2)
    vectors = vectors - model.mean  # as a search does
    index = Index(vectors, [f"{row:04}" for row in range(len(documents))], device)
    return [rows for rows, _ in index.neighbours(np.arange(len(documents)), k, beat)]


def _overlap(left: list[NDArray[np.int64]], right: list[NDArray[np.int64]]) -> float:
    """The mean share of a document's neighbours that are in both; 1 where there are none to compare."""
    shares = [len(np.intersect1d(a, b)) / len(a) for a, b in zip(left, right, strict=True) if len(a)]
    return float(np.mean(shares)) if shares else 1.0
