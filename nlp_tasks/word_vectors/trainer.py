"""Trains Word2Vec: cuts the documents, counts words, descends, saves the model.

The same documents, parameters and seed give the same model. If the worker is killed, the next run cuts the documents
again and resumes the descent where its last checkpoint was.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path

from nlp_tasks import heartbeat
from nlp_tasks.checkpoint import FOLDER, Checkpoint
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Documents, Progress
from nlp_tasks.similarity.corpus import Corpus, read
from nlp_tasks.word_vectors import TrainWordsParameters, descent, units
from nlp_tasks.word_vectors import model as models
from nlp_tasks.word_vectors.model import Model

#: The interval between two progress messages.
REPORT_SECONDS = 1.0
#: Fewer words have no neighbours worth the name.
LEAST_WORDS = 2


def train(
    documents: Documents, parameters: TrainWordsParameters, model_dir: Path, progress: Progress
) -> dict[str, float]:
    """Train a model into `model_dir`; its metrics are described in docs/words.md."""
    report = _Report(progress, len(documents), parameters)
    chosen = units.of(parameters, documents, report.learning)
    corpus = read(documents, parameters.min_count, report.reading, chosen.cut)
    if len(corpus.words) < LEAST_WORDS:
        raise TrainingError(
            f"only one word occurs at least {parameters.min_count} times: add documents, or lower min_count"
        )
    report.n_words = int(corpus.counts.sum())
    checkpoint = Checkpoint(model_dir / FOLDER, _fingerprint(corpus, parameters))
    vectors = descent.fit(corpus, parameters, report.training, checkpoint)
    shutil.rmtree(checkpoint.folder, ignore_errors=True)
    models.save(Model(parameters, chosen, corpus.words, corpus.counts, vectors), model_dir)
    return {
        "n_documents": float(len(corpus)),
        "n_words": float(len(corpus.numbers)),
        "vocabulary": float(len(corpus.words)),
        "unknown_share": corpus.unknown_share,
    }


def _fingerprint(corpus: Corpus, parameters: TrainWordsParameters) -> str:
    digest = hashlib.sha256(json.dumps([asdict(parameters), corpus.words]).encode())
    for array in (corpus.starts, corpus.numbers):
        for start in heartbeat.beating(range(0, len(array), 2**18)):
            digest.update(array[start : start + 2**18].tobytes())
    return digest.hexdigest()


class _Report:
    """Reports progress once a second. Each reading of the documents counts as much as one epoch."""

    def __init__(self, progress: Progress, n_documents: int, parameters: TrainWordsParameters) -> None:
        self._progress = progress
        self._n_documents = n_documents
        self._n_epochs = parameters.epochs
        self._n_readings = 2 if parameters.units == "bpe" else 1
        #: Of the corpus, once it is read.
        self.n_words = 0
        self._next = time.monotonic() + REPORT_SECONDS

    def learning(self, n_done: int) -> None:
        """Documents read to learn subwords."""
        self._read(0, n_done, "learning subwords")

    def reading(self, n_done: int) -> None:
        """Documents cut."""
        self._read(self._n_readings - 1, n_done, "reading words")

    def training(self, epoch: int, n_done: int) -> None:
        """Words done in an epoch."""
        share = (self._n_readings + epoch) + n_done / self.n_words
        note = f"epoch {epoch + 1} of {self._n_epochs}, word {n_done:,} of {self.n_words:,}"
        self._tell(share, note, is_last=n_done == self.n_words)

    def _read(self, readings: int, n_done: int, what: str) -> None:
        note = f"{what}, document {n_done:,} of {self._n_documents:,}"
        self._tell(readings + n_done / self._n_documents, note, is_last=n_done == self._n_documents)

    def _tell(self, done: float, note: str, *, is_last: bool) -> None:
        if is_last or time.monotonic() >= self._next:
            whole = (self._n_readings + self._n_epochs) * self._n_documents
            self._progress(round(done * self._n_documents), whole, note)
            self._next = time.monotonic() + REPORT_SECONDS
