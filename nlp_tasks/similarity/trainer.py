"""Training Doc2Vec: words to numbers, then epochs of stochastic descent, then a look at what came out.

One thread, so that the same documents, parameters and seed make the same model. `progress` is called from
this thread, between documents.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Documents, Progress
from nlp_tasks.similarity import TrainSimilarityParameters
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.corpus import Corpus, read
from nlp_tasks.similarity.gensim_descent import Descent
from nlp_tasks.similarity.infer_runner import inference
from nlp_tasks.similarity.model import Model

#: How often progress is told.
REPORT_SECONDS = 1.0
#: Documents whose inferred vector is looked for among the trained ones, for `self_rank`.
SELF_RANK_DOCUMENTS = 500
#: Words that occur more often than this in all documents are thinned out, unless `sample` says otherwise.
THINNED_FROM = 6
#: Documents whose trained vectors are kept with the model.
TYPICAL_DOCUMENTS = 250


def train(
    documents: Documents,
    parameters: TrainSimilarityParameters,
    device: str,
    model_dir: Path,
    progress: Progress,
) -> dict[str, float]:
    """Train a model into `model_dir`; its metrics are described in docs/similarity.md."""
    report = _Report(progress, len(documents), parameters.epochs)
    corpus = read(documents, parameters.min_count, report.reading)
    if len(corpus) < 2:
        raise TrainingError("similarity needs 2 documents or more to be trained on")
    model, vectors = fit(corpus, parameters, report.training)
    models.save(model, model_dir)
    return {
        "n_documents": float(len(corpus)),
        "n_words": float(len(corpus.numbers)),
        "vocabulary": float(len(corpus.words)),
        "unknown_share": corpus.unknown_share,
        "self_rank": _self_rank(model, corpus, vectors, device),
    }


def fit(
    corpus: Corpus, parameters: TrainSimilarityParameters, progress: Callable[[int, int], None]
) -> tuple[Model, NDArray[np.float32]]:
    """The model, and its vectors of the training documents (N, D). `progress` hears (epoch, documents done in it)."""
    if parameters.sample < 0:
        parameters = replace(parameters, sample=_sample_for(int(corpus.counts.sum())))
    gensim = models.untrained(parameters, corpus.words, corpus.counts)
    vectors = _first_vectors(len(corpus), parameters)
    descent = Descent(gensim, vectors, learn_model=True)
    n_steps = parameters.epochs * len(corpus)
    for epoch in range(parameters.epochs):
        for row, words in enumerate(corpus):
            done = (epoch * len(corpus) + row) / n_steps
            descent.step(row, words, parameters.alpha + (parameters.min_alpha - parameters.alpha) * done)
            progress(epoch, row + 1)
    word_vectors = gensim.wv.vectors if parameters.architecture == "dm" else None
    typical = vectors[np.unique(np.linspace(0, len(vectors) - 1, TYPICAL_DOCUMENTS).astype(int))]
    model = Model(
        parameters,
        corpus.words,
        corpus.counts,
        gensim.syn1neg,
        word_vectors,
        typical,
        len(corpus),
        corpus.document_counts(),
        vectors.mean(axis=0),
    )
    return model, vectors


def _sample_for(n_words: int) -> float:
    """gensim's fixed 1e-3 lets the words that all texts have drown the rest in a large corpus; much less leaves a
    small one nothing to learn from. Found by measuring: docs/similarity.md."""
    return min(THINNED_FROM / max(n_words, 1), 1e-3)


def _first_vectors(n_documents: int, parameters: TrainSimilarityParameters) -> NDArray[np.float32]:
    """Small random vectors, from another stream than the words'."""
    random = np.random.default_rng([parameters.seed, 7919])
    vectors = random.random((n_documents, parameters.vector_size), dtype=np.float32)
    vectors *= 2.0
    vectors -= 1.0
    vectors /= parameters.vector_size
    return vectors


def _self_rank(model: Model, corpus: Corpus, vectors: NDArray[np.float32], device: str) -> float:
    """The share of a sample of the training documents whose inferred vector is nearest to their trained one."""
    rows = np.unique(np.linspace(0, len(corpus) - 1, SELF_RANK_DOCUMENTS).astype(int))
    texts = [(row, words) for row in rows.tolist() if (words := corpus.document(row))]
    inferred = inference(model, device, heartbeat.beat)([words for _, words in texts])  # (S, D)
    trained = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    few = heartbeat.beating(np.array_split(inferred, 50))
    nearest = np.concatenate([(trained @ block.T).argmax(axis=0) for block in few])
    return float(np.mean(nearest == [row for row, _ in texts]))


class _Report:
    """Tells progress once a second: the words of the first step are read, then each epoch is one step."""

    def __init__(self, progress: Progress, n_documents: int, epochs: int) -> None:
        self._progress = progress
        self._n_documents = n_documents
        self._epochs = epochs
        self._next = time.monotonic() + REPORT_SECONDS

    def reading(self, n_done: int) -> None:
        self._tell(n_done, n_done, f"reading words, document {n_done:,} of {self._n_documents:,}")

    def training(self, epoch: int, n_done: int) -> None:
        note = f"epoch {epoch + 1} of {self._epochs}, document {n_done:,} of {self._n_documents:,}"
        self._tell((epoch + 1) * self._n_documents + n_done, n_done, note)

    def _tell(self, steps: int, n_done: int, note: str) -> None:
        if time.monotonic() >= self._next or n_done == self._n_documents:
            self._progress(steps, (self._epochs + 1) * self._n_documents, note)
            self._next = time.monotonic() + REPORT_SECONDS
