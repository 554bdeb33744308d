"""Where a training goes on from: the vectors of a trained model for the words and the documents of another corpus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat, model_files
from nlp_tasks.errors import TrainingError
from nlp_tasks.similarity import TrainSimilarityParameters
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.corpus import Corpus
from nlp_tasks.similarity.infer_runner import inference
from nlp_tasks.similarity.model import Model

#: Documents that are inferred at a time.
INFERRED_TOGETHER = 512


@dataclass(frozen=True)
class Start:
    """What a model knows of a corpus."""

    #: The words of the corpus that the model has.
    known: NDArray[np.int64]  # (K,)
    #: Their output vectors, and the word vectors of PV-DM.
    output: NDArray[np.float32]  # (K, D)
    word_vectors: NDArray[np.float32] | None  # (K, D)
    #: First vectors of the documents: inferred, or small random ones where the model knows no word.
    vectors: NDArray[np.float32]  # (N, D)
    #: For how many epochs the model infers: as many as it was trained for from the beginning.
    epochs: int
    #: The digest of the model's manifest.
    sha256: str


def load(parameters: TrainSimilarityParameters) -> Model:
    """The model in the folder `start_from`. TrainingError if a training with these parameters cannot go on from it."""
    model = models.load(Path(parameters.start_from))
    for name in ("architecture", "vector_size"):
        has, wanted = getattr(model.parameters, name), getattr(parameters, name)
        if has != wanted:
            raise TrainingError(
                f"start_from: that model has {name}={has}, and this training {wanted}: add -p {name}={has}"
            )
    return model


def of_corpus(
    model: Model, corpus: Corpus, parameters: TrainSimilarityParameters, vectors: NDArray[np.float32]
) -> Start:
    """What a model knows of a corpus; `vectors` (N, D) of the documents."""
    pairs = [(i, model.numbers[word]) for i, word in enumerate(corpus.words) if word in model.numbers]
    known, numbers = np.array(pairs, np.int64).reshape(-1, 2).T
    return Start(
        known,
        model.output[numbers],
        model.word_vectors[numbers] if model.word_vectors is not None else None,
        vectors,
        model.infer_epochs,
        model_files.sha256_of(Path(parameters.start_from) / model_files.MANIFEST),
    )


def infer(
    model: Model, corpus: Corpus, vectors: NDArray[np.float32], device: str, progress: Callable[[int], None]
) -> None:
    """Change the vectors of documents of which the model knows a word to what it infers (N, D). `progress` gets the
    number of documents done."""
    by_model = inference(model, device, heartbeat.beat)
    for n_done, rows in _alike(corpus):
        texts = [(row, [word for word in corpus.document(row) if word in model.numbers]) for row in rows]
        texts = [(row, words) for row, words in texts if words]
        found = by_model([words for _, words in texts])
        usable = np.isfinite(found).all(axis=1)
        vectors[np.array([row for row, _ in texts], np.int64)[usable]] = found[usable]
        progress(n_done)


def _alike(corpus: Corpus) -> list[tuple[int, list[int]]]:
    """Documents of similar length together, and how many there are up to them."""
    order = np.argsort(np.diff(corpus.starts), kind="stable").tolist()
    starts = range(0, len(order), INFERRED_TOGETHER)
    return [(min(s + INFERRED_TOGETHER, len(order)), order[s : s + INFERRED_TOGETHER]) for s in starts]
