"""Labels documents with a trained classifier: probabilities, the best labels first, or an abstention."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import model_files
from nlp_tasks.classification import ClassifyParameters, LabelRow, architecture
from nlp_tasks.classification.architecture import Classifier
from nlp_tasks.classification.metrics import softmax
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Setup


class LabelRunner:
    """A loaded classifier with its labels and temperature."""

    def __init__(self, classifier: Classifier, labels: list[str], temperature: float, setup: Setup) -> None:
        self.classifier, self.labels, self.temperature = classifier, labels, temperature
        self.parameters: ClassifyParameters = setup.parameters
        self.beat = setup.beat
        self.batch_documents = classifier.batch_documents
        self.batch_chars = classifier.batch_chars

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        """See kind.Runner. A document without a visible character gets EMPTY_TEXT."""
        texts = [document.text for document in documents if document.text.strip()]
        rows = iter(self.label(texts) if texts else [])
        return [next(rows) if document.text.strip() else _empty() for document in documents]

    def label(self, texts: Sequence[str]) -> list[list[LabelRow]]:
        """The labels of each text, the most probable first."""
        probabilities = softmax(self.classifier.logits(texts, self.beat) / self.temperature)
        n = min(self.parameters.top_n, len(self.labels))
        best = _best(probabilities, n)
        scores = np.take_along_axis(probabilities, best, axis=1).tolist()
        return [self._rows(*pair) for pair in zip(best.tolist(), scores, strict=True)]

    def _rows(self, indexes: list[int], scores: list[float]) -> list[LabelRow]:
        least = self.parameters.min_score
        if scores[0] < least:
            reason = f"{self.labels[indexes[0]]} is the most probable, but {scores[0]:.3f} is under {least:g}"
            return [LabelRow(1, None, scores[0], reason)]
        pairs = enumerate(zip(indexes, scores, strict=True), start=1)
        return [LabelRow(rank, self.labels[index], score) for rank, (index, score) in pairs if score >= least]


def open_runner(setup: Setup) -> LabelRunner:
    """Load the model version in `setup.model_dir`; ModelFileError if its files are not as saved."""
    if setup.model_dir is None:
        raise ValueError("classify needs a model: train one with the kind train-classify")
    return _load(setup.model_dir, setup)


def _load(model_dir: Path, setup: Setup) -> LabelRunner:
    config, tensors = model_files.load(model_dir)
    chosen = architecture.get(config["arch"])
    classifier = chosen.load(config["classifier"], tensors, setup.device)
    return LabelRunner(classifier, config["labels"], config["temperature"], setup)


def _best(probabilities: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Indexes (N, n) of the largest probabilities, descending; equals by label order."""
    best: NDArray[np.int64] = np.argsort(-probabilities, axis=1, kind="stable")[:, :n]
    return best


def _empty() -> DocumentError:
    return DocumentError("EMPTY_TEXT", "the text has no visible character")
