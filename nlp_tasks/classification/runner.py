"""The stage of `classify`: labels documents with a trained classifier, with probabilities, or abstains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import model_files
from nlp_tasks.classification import ClassifyParameters, LabelRow, TermRow, architecture
from nlp_tasks.classification.architecture import Classifier
from nlp_tasks.classification.attribution import words
from nlp_tasks.classification.calibration import Calibration
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Setup
from nlp_tasks.onnx_graphs import using

#: The classifier is asked for this many times the number of terms wanted: signs and parts of other terms are left out.
_ASKED = 3


class LabelRunner:
    """A loaded classifier with its labels, calibration and thresholds."""

    def __init__(self, classifier: Classifier, config: dict[str, Any], setup: Setup) -> None:
        self.classifier = classifier
        #: The classifier that explains labels.
        self.explained = classifier
        self.labels: list[str] = config["labels"]
        #: Models of earlier versions have a temperature alone.
        self.calibration = Calibration(config["temperature"], *config.get("confidence_map", ()))
        #: One for each label if documents may have several; otherwise None.
        self.thresholds: list[float] | None = config.get("thresholds")
        self.parameters: ClassifyParameters = setup.parameters
        self.beat = setup.beat
        self.batch_documents = classifier.batch_documents
        self.batch_chars = classifier.batch_chars

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        """See kind.Runner. A document without a visible character gets EMPTY_TEXT."""
        texts = [document.text for document in documents if document.text.strip()]
        labelled = self.label(texts) if texts else []
        rows: Iterator[Result] = iter(labelled)
        if self.parameters.evidence:
            rows = iter(self._with_evidence(texts, labelled))
        return [next(rows) if document.text.strip() else _empty() for document in documents]

    def _with_evidence(
        self, texts: Sequence[str], labelled: list[list[LabelRow]]
    ) -> list[list[LabelRow | TermRow]]:
        """The rows of each text, and the terms that contributed most to its best label, if it has one."""
        places = [place for place, rows in enumerate(labelled) if rows[0].label is not None]
        chosen = [self.labels.index(str(labelled[place][0].label)) for place in places]
        most = self.parameters.evidence
        terms = self.explained.explain([texts[place] for place in places], chosen, _ASKED * most, self.beat)
        found: list[list[LabelRow | TermRow]] = [list(rows) for rows in labelled]
        for place, label, weighted in zip(places, chosen, terms, strict=True):
            found[place] += [
                TermRow(rank, self.labels[label], term, weight / self.calibration.temperature)
                for rank, (term, weight) in enumerate(words(weighted, most), start=1)
            ]
        return found

    def label(self, texts: Sequence[str]) -> list[list[LabelRow]]:
        """The labels of each text, the most probable first."""
        logits = self.classifier.logits(texts, self.beat)
        probabilities = self.calibration.probabilities(logits, several=self.thresholds is not None)
        n = (
            len(self.labels)
            if self.thresholds is not None
            else min(max(1, self.parameters.top_n), len(self.labels))
        )
        # By the scores: probabilities near 0 or 1 may be equal where the scores are not.
        best = _best(logits, n)
        scores = np.take_along_axis(probabilities, best, axis=1).tolist()
        rows = self._one if self.thresholds is None else self._several
        return [rows(*pair) for pair in zip(best.tolist(), scores, strict=True)]

    def _one(self, indexes: list[int], scores: list[float]) -> list[LabelRow]:
        """The best label, followed by the next ones up to `top_n`, or an abstention."""
        least = self.parameters.min_score
        if scores[0] < least:
            reason = f"{self.labels[indexes[0]]} is the most probable, but {scores[0]:.3f} is under {least:g}"
            return [LabelRow(1, None, scores[0], reason)]
        return self._ranked(
            (index, score) for index, score in zip(indexes, scores, strict=True) if score >= least
        )

    def _several(self, indexes: list[int], scores: list[float]) -> list[LabelRow]:
        """Every label whose probability reaches its threshold, at most `top_n`; an abstention if none does."""
        assert self.thresholds is not None
        least = [max(threshold, self.parameters.min_score) for threshold in self.thresholds]
        given = [
            (index, score) for index, score in zip(indexes, scores, strict=True) if score >= least[index]
        ]
        if given:
            return self._ranked(given[: self.parameters.top_n or None])
        nearest = f"{self.labels[indexes[0]]} is the most probable"
        reason = f"no label applies: {nearest}, but {scores[0]:.3f} is under {least[indexes[0]]:.3g}"
        return [LabelRow(1, None, scores[0], reason)]

    def _ranked(self, given: Iterable[tuple[int, float]]) -> list[LabelRow]:
        return [
            LabelRow(rank, self.labels[index], score) for rank, (index, score) in enumerate(given, start=1)
        ]


def open_runner(setup: Setup) -> LabelRunner:
    """Load the model version in `setup.model_dir`; ModelFileError if its files are not as they were saved."""
    if setup.model_dir is None:
        raise ValueError("classify needs a model: train one with the kind train-classify")
    return _load(setup.model_dir, setup)


def _load(model_dir: Path, setup: Setup) -> LabelRunner:
    config, tensors = model_files.load(model_dir)
    chosen = architecture.get(config["arch"])
    classifier = chosen.load(config["classifier"], tensors, setup.device)
    runner = LabelRunner(classifier, config, setup)
    if runner.parameters.evidence and using.is_wanted(classifier, setup):
        # A graph has no gradients, by which networks are explained.
        runner.explained = chosen.load(config["classifier"], tensors, setup.device)
    using.use(classifier, setup)
    return runner


def _best(logits: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Indexes (N, n) of the largest scores, in descending order; ties in the order of the labels."""
    best: NDArray[np.int64] = np.argsort(-logits, axis=1, kind="stable")[:, :n]
    return best


def _empty() -> DocumentError:
    return DocumentError("EMPTY_TEXT", "the text has no visible character")
