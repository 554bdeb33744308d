"""Trains Doc2Vec: tokenizes the documents, trains, measures the model, saves it.

The same documents, parameters and seed give the same model. `progress` is called from this thread, between documents or
steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat, training_curve
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Documents, Progress
from nlp_tasks.similarity import TrainSimilarityParameters, flow_training, warm_start
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.block_threads import one_thread
from nlp_tasks.similarity.corpus import Corpus, read
from nlp_tasks.similarity.gensim_descent import Descent
from nlp_tasks.similarity.hubness import with_references
from nlp_tasks.similarity.infer_runner import inference
from nlp_tasks.similarity.model import Model
from nlp_tasks.similarity.sample_loss import SampleLoss
from nlp_tasks.similarity.warm_start import Start

#: The interval between two progress messages.
REPORT_SECONDS = 1.0
#: Size of the sample for `self_rank`.
SELF_RANK_DOCUMENTS = 500
#: Words that occur more often than this in all documents are down-sampled, unless `sample` is given.
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
    report = _Report(progress, len(documents))
    before = warm_start.load(parameters) if parameters.start_from else None
    corpus = read(documents, parameters.min_count, report.reading)
    if len(corpus) < 2:
        raise TrainingError("similarity needs at least 2 documents to train on")
    start = goes_on(before, corpus, parameters, device, report.inferring) if before is not None else None
    report.in_parts(*parts_of(parameters, start))
    model, vectors = fit(corpus, parameters, report.training, device, start)
    with one_thread():
        with_all = with_references(model, corpus, inference(model, device, heartbeat.beat))
    models.save(with_all, model_dir)
    return {
        "n_documents": float(len(corpus)),
        "n_words": float(len(corpus.numbers)),
        "vocabulary": float(len(corpus.words)),
        "unknown_share": corpus.unknown_share,
        "self_rank": _self_rank(model, corpus, vectors, device),
    }


def uses_torch(parameters: TrainSimilarityParameters) -> bool:
    """Whether a model is trained by `flow_training`, and not by gensim. PV-DM always is by gensim."""
    return parameters.trainer == "torch" and parameters.architecture == "dbow"


def goes_on(
    before: Model,
    corpus: Corpus,
    parameters: TrainSimilarityParameters,
    device: str = "cpu",
    progress: Callable[[int], None] = lambda _: None,
) -> Start:
    """What a training on a corpus has from a model. `flow_training` finds the documents' vectors itself, which takes
    less time than an inference."""
    vectors = first_vectors(len(corpus), parameters)
    if not uses_torch(parameters):
        with one_thread():
            warm_start.infer(before, corpus, vectors, device, progress)
    return warm_start.of_corpus(before, corpus, parameters, vectors)


def parts_of(parameters: TrainSimilarityParameters, start: Start | None) -> tuple[str, int]:
    """What a training counts, and how many of them it has."""
    if uses_torch(parameters):
        return "step", flow_training.n_steps(parameters.epochs, start)
    return "epoch", parameters.epochs


def fit(
    corpus: Corpus,
    parameters: TrainSimilarityParameters,
    progress: Callable[[int, int], None],
    device: str = "cpu",
    start: Start | None = None,
) -> tuple[Model, NDArray[np.float32]]:
    """The model, and its vectors of the training documents (N, D). `progress` gets (epoch or step, documents done in
    it)."""
    if parameters.sample < 0:
        parameters = replace(parameters, sample=_sample_for(int(corpus.counts.sum())))
    # The folder of another model is of no use in this one's file, and as long as that infers, so does this.
    parameters = replace(parameters, start_from="")
    if start is not None:
        parameters = replace(parameters, infer_epochs=parameters.infer_epochs or start.epochs)
    vectors = first_vectors(len(corpus), parameters) if start is None else start.vectors
    word_vectors = None
    loss = SampleLoss(corpus, parameters.window)
    if uses_torch(parameters):
        output, vectors = flow_training.train(corpus, parameters, vectors, device, progress, loss, start)
    else:
        output, word_vectors = _descend(corpus, parameters, vectors, progress, loss, start)
    typical = vectors[np.unique(np.linspace(0, len(vectors) - 1, TYPICAL_DOCUMENTS).astype(int))]
    model = Model(
        parameters,
        corpus.words,
        corpus.counts,
        output,
        word_vectors,
        typical,
        len(corpus),
        corpus.document_counts(),
        vectors.mean(axis=0),
        started_from=start.sha256 if start is not None else None,
    )
    return model, vectors


def _descend(
    corpus: Corpus,
    parameters: TrainSimilarityParameters,
    vectors: NDArray[np.float32],
    progress: Callable[[int, int], None],
    loss: SampleLoss,
    start: Start | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """The output vectors and, for PV-DM, the word vectors by gensim's descent on one thread. Changes `vectors`."""
    gensim = models.untrained(parameters, corpus.words, corpus.counts)
    if start is not None:
        gensim.syn1neg[start.known] = start.output
        if start.word_vectors is not None:
            gensim.wv.vectors[start.known] = start.word_vectors
    descent = Descent(gensim, vectors, learn_model=True)
    word_vectors = gensim.wv.vectors if parameters.architecture == "dm" else None
    n_steps = parameters.epochs * len(corpus)
    for epoch in range(parameters.epochs):
        for row, words in enumerate(corpus):
            done = (epoch * len(corpus) + row) / n_steps
            descent.step(row, words, parameters.alpha + (parameters.min_alpha - parameters.alpha) * done)
            progress(epoch, row + 1)
        training_curve.record(epoch + 1, loss=loss(gensim.syn1neg, vectors, word_vectors))
    return gensim.syn1neg, word_vectors


def _sample_for(n_words: int) -> float:
    """The default of `sample`. With 1e-3, as in gensim, words that all texts have dominate in a large corpus; with much
    less, too few words of a small corpus are left. Chosen by experiment: docs/similarity.md."""
    return min(THINNED_FROM / max(n_words, 1), 1e-3)


def first_vectors(n_documents: int, parameters: TrainSimilarityParameters) -> NDArray[np.float32]:
    """Small random vectors, from another random stream than the words."""
    random = np.random.default_rng([parameters.seed, 7919])
    vectors = random.random((n_documents, parameters.vector_size), dtype=np.float32)
    vectors *= 2.0
    vectors -= 1.0
    vectors /= parameters.vector_size
    return vectors


def _self_rank(model: Model, corpus: Corpus, vectors: NDArray[np.float32], device: str) -> float:
    """The share of documents, in a sample, whose inferred vector is nearest to their own trained vector."""
    rows = np.unique(np.linspace(0, len(corpus) - 1, SELF_RANK_DOCUMENTS).astype(int))
    texts = [(row, words) for row in rows.tolist() if (words := corpus.document(row))]
    inferred = inference(model, device, heartbeat.beat)([words for _, words in texts])  # (S, D)
    trained = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    few = heartbeat.beating(np.array_split(inferred, 50))
    nearest = np.concatenate([(trained @ block.T).argmax(axis=0) for block in few])
    return float(np.mean(nearest == [row for row, _ in texts]))


class _Report:
    """Reports progress once a second. Reading the documents counts as much as one epoch or step, and so does inferring
    them by the model that a training goes on from."""

    def __init__(self, progress: Progress, n_documents: int) -> None:
        self._progress = progress
        self._n_documents = n_documents
        #: What is done before the training, in parts of it.
        self._before = 1
        self.in_parts("step", flow_training.STEPS)
        self._next = time.monotonic() + REPORT_SECONDS

    def reading(self, n_done: int) -> None:
        self._tell(n_done, n_done, f"reading words, document {n_done:,} of {self._n_documents:,}")

    def in_parts(self, part: str, n_parts: int) -> None:
        self._part, self._n_parts = part, n_parts

    def inferring(self, n_done: int) -> None:
        self._before = 2
        note = f"going on from a model, document {n_done:,} of {self._n_documents:,}"
        self._tell(self._n_documents + n_done, n_done, note)

    def training(self, part: int, n_done: int) -> None:
        note = f"{self._part} {part + 1} of {self._n_parts}, document {n_done:,} of {self._n_documents:,}"
        self._tell((part + self._before) * self._n_documents + n_done, n_done, note)

    def _tell(self, steps: int, n_done: int, note: str) -> None:
        if time.monotonic() >= self._next or n_done == self._n_documents:
            self._progress(steps, (self._n_parts + self._before) * self._n_documents, note)
            self._next = time.monotonic() + REPORT_SECONDS
