"""The gate of word vectors: a new model must know the words of the texts, and keep the champion's
neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.kind import Candidate, Documents, Figure
from nlp_tasks.word_vectors import model as models
from nlp_tasks.word_vectors.model import Model

#: Size of the sample of training documents, and of the words that are compared, spread evenly over all.
SAMPLE_DOCUMENTS, SAMPLE_WORDS = 1000, 1000
#: Only this many of the most frequent words that both models have are compared: rare ones differ between two seeds.
COMMON_WORDS = 20_000
#: Neighbours that are compared; at most half the words.
NEIGHBOURS = 10
#: By how much the share of unknown words may be above the champion's.
MORE_UNKNOWN = 0.02
#: Below what two seeds of one training should have in common; `make bench-words` measures that.
LEAST_KEPT = 0.25
#: Words of the sample that are compared between two heartbeats.
TOGETHER = 100


def judge(candidate: Candidate) -> list[Figure]:
    """The figures `unknown_share` and, if there is a champion, `neighbours_kept`: the mean share of a word's nearest
    words that both models have in common. Without a champion there are no thresholds."""
    new = models.load(candidate.model_dir)
    texts = _sample(candidate.documents, candidate.beat)
    unknown = _unknown_share(new, texts)
    if candidate.champion_dir is None:
        return [Figure("unknown_share", unknown)]
    old = models.load(candidate.champion_dir)
    return [
        Figure("unknown_share", unknown, at_most=_unknown_share(old, texts) + MORE_UNKNOWN),
        Figure("neighbours_kept", neighbours_kept(new, old, candidate.beat), at_least=LEAST_KEPT),
    ]


def neighbours_kept(new: Model, old: Model, beat: Callable[[], None]) -> float:
    """The mean share of the nearest words, among the frequent words of both, on which two models agree; 1 if they have
    too few words in common to compare."""
    common = [word for word in new.words if word in old.numbers][:COMMON_WORDS]
    k = min(NEIGHBOURS, len(common) // 2)
    if k == 0:
        return 1.0
    sample = np.unique(np.linspace(0, len(common) - 1, SAMPLE_WORDS).astype(int))
    left, right = (_neighbours(model, common, sample, k, beat) for model in (new, old))
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(left, right, strict=True)]))


def _neighbours(
    model: Model, words: Sequence[str], sample: NDArray[np.int_], k: int, beat: Callable[[], None]
) -> NDArray[np.intp]:
    """For each word of the sample, the places in `words` of the nearest others  # (S, k)."""
    vectors = model.unit_vectors[[model.numbers[word] for word in words]]
    found: list[NDArray[np.intp]] = []
    for start in range(0, len(sample), TOGETHER):
        beat()
        rows = sample[start : start + TOGETHER]
        scores = vectors[rows] @ vectors.T
        scores[np.arange(len(rows)), rows] = -np.inf
        found.append(np.argpartition(-scores, k - 1, axis=1)[:, :k])
    return np.concatenate(found)


def _sample(documents: Documents, beat: Callable[[], None]) -> list[str]:
    """The texts of some of the documents."""
    n = min(SAMPLE_DOCUMENTS, len(documents))
    rows = set(np.linspace(0, len(documents) - 1, n).astype(int).tolist())
    texts = []
    for row, document in enumerate(documents):
        beat()
        if row in rows:
            texts.append(document.text)
    return texts


def _unknown_share(model: Model, texts: Sequence[str]) -> float:
    n_words = n_known = 0
    for text in heartbeat.beating(texts):
        words = model.units.cut(text)
        n_words += len(words)
        n_known += sum(word in model.numbers for word in words)
    return 1.0 - n_known / max(n_words, 1)
