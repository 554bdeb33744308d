"""Writes a classifier for use without docmill and torch: from words or tokens to scores of labels.

Which classifiers can be written, and how: one class for each architecture's network. The others have none, and say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor, nn

from nlp_tasks import heartbeat, model_files
from nlp_tasks.classification import architecture, trainer
from nlp_tasks.classification.calibration import Calibration
from nlp_tasks.classification.neural import network as networks
from nlp_tasks.classification.neural import word_ngrams
from nlp_tasks.classification.neural.classifier import NeuralClassifier
from nlp_tasks.errors import ModelFileError, TrainingError
from nlp_tasks.kind import Documents
from nlp_tasks.onnx_graphs import exporting
from nlp_tasks.onnx_graphs.exporting import Compute, Export, Exported
from nlp_tasks.onnx_graphs.slot import Network

#: Why an architecture has no graph.
BY_NGRAMS = (
    "counts n-grams and looks up their weights, which is no network: weights.safetensors and config.json in its folder "
    "have all of it"
)
NO_NETWORK = {
    "linear": BY_NGRAMS,
    "naive-bayes": BY_NGRAMS,
    "morphemes": BY_NGRAMS,
    "nearest": "infers the vector of each text by training on it, which no graph does",
    "ensemble": "has members that count n-grams, which is no network; train arch cnn by itself",
}
#: Windows that go through a graph of words together.
TOGETHER = 8


def export(source: Path, target: Path, *, int8: bool, documents: Documents | None) -> Exported:
    """Write the classifier of a folder into another one. The loss of `int8` is measured on the held-out part of the
    documents that it was trained on. ModelFileError if it has no network, or scores differ from torch's."""
    config, tensors = model_files.load(source)
    if config["arch"] in NO_NETWORK:
        raise ModelFileError(
            f"arch {config['arch']} cannot be written as ONNX: it {NO_NETWORK[config['arch']]}; leave --onnx out"
        )
    classifier = architecture.get(config["arch"]).load(config["classifier"], tensors, "cpu")
    what = _export_of(classifier, source, _Decision(config))
    texts = _held_out(documents, config["trained_with"]) if int8 and documents is not None else []
    return exporting.export(what, f"{config['arch']} in {source}", target, int8=int8, texts=texts)


def _held_out(documents: Documents, asked: dict[str, Any]) -> list[str]:
    """The texts that the model was not trained on; none if too few documents are left."""
    try:
        held_out = trainer.divide(documents, asked["held_out"]).held_out
    except TrainingError:
        return []
    return [each.text for each in held_out]


class _Decision:
    """How scores become labels."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._thresholds: list[float] | None = config.get("thresholds")
        self._calibration = Calibration(config["temperature"], *config.get("confidence_map", ()))

    def __call__(self, scores: NDArray[np.float32]) -> NDArray[Any]:
        """The label of each row (N,), or whether each label applies (N, K)."""
        if self._thresholds is None:
            return np.asarray(scores.argmax(axis=1))
        probabilities = self._calibration.probabilities(scores, several=True)
        return np.asarray(probabilities >= np.array(self._thresholds))

    def about(self) -> dict[str, Any]:
        """The same for a program."""
        names = ("arch", "labels", "temperature", "confidence_map", "thresholds")
        return {name: self._config.get(name) for name in names}


def _export_of(classifier: Any, source: Path, decided: _Decision) -> Export:
    if isinstance(classifier, NeuralClassifier):
        return _of_words(classifier, decided)
    from nlp_tasks.classification.transformers import onnx_export

    return onnx_export.export_of(classifier, source, decided.about(), decided)


class WordScores(nn.Module):
    """From n-grams of words (W, S, G), padded with 0, and the words of each window (W,) to scores (W, K)."""

    def __init__(self, network: networks.Network) -> None:
        super().__init__()
        self.table, self.encoder, self.labels = network.words.weight, network.encoder, network.labels

    def forward(self, ngrams: Tensor, lengths: Tensor) -> Tensor:
        is_known = ngrams != word_ngrams.NOTHING
        sums = (self.table[ngrams] * is_known[:, :, :, None]).sum(dim=2)
        vectors = sums / is_known.sum(dim=2, keepdim=True).clamp(min=1)
        mask = torch.arange(ngrams.shape[1]) < lengths[:, None]
        scores: Tensor = self.labels(self.encoder(vectors, mask))
        return scores


def _of_words(classifier: NeuralClassifier, decided: _Decision) -> Export:
    windows, words = torch.export.Dim("windows"), torch.export.Dim("words", max=networks.WINDOW_WORDS)
    inputs = {"ngrams": torch.ones(2, 7, 5, dtype=torch.int64), "lengths": torch.tensor([7, 5])}
    axes = {
        "ngrams": {0: windows, 1: words, 2: torch.export.Dim("ngrams_of_a_word")},
        "lengths": {0: windows},
    }
    empty = classifier.network.labels.bias.detach().numpy()
    return Export(
        network=Network(WordScores(classifier.network), inputs, axes, "scores"),
        about=decided.about()
        | {
            "inputs": {"ngrams": "int64 (windows, words, n-grams of a word)", "lengths": "int64 (windows,)"},
            "output": {"scores": "float32 (windows, labels)"},
            "window_words": networks.WINDOW_WORDS,
            "padding": "0 at the end",
            "long_texts": "the mean of the scores of a text's windows, weighted by their words",
            "scores_without_words": empty.tolist(),
        },
        write_files=partial(_write_buckets, classifier),
        answers=lambda texts, compute: _scores(classifier, texts, compute, empty),
        expected=lambda texts: classifier.logits(texts, heartbeat.beat),
        decided=decided,
        left_out=("Gather",),
    )


def _write_buckets(classifier: NeuralClassifier, folder: Path) -> None:
    """The hashes that have a number: the first has 1."""
    save_file({"buckets": classifier.buckets}, str(folder / "buckets.safetensors"))


def _scores(
    classifier: NeuralClassifier, texts: Sequence[str], compute: Compute, empty: NDArray[np.float32]
) -> NDArray[np.float32]:
    words = word_ngrams.index(word_ngrams.split(texts, heartbeat.beat), classifier.buckets)
    bounds, owner = networks.windows(words, np.arange(len(texts)))
    order = np.argsort(bounds[:, 1] - bounds[:, 0], kind="stable")
    sums = np.zeros((len(texts), len(empty)), np.float64)
    for start in range(0, len(order), TOGETHER):
        some = order[start : start + TOGETHER]
        ngrams, lengths = _padded(words, bounds[some])
        np.add.at(sums, owner[some], compute({"ngrams": ngrams, "lengths": lengths}) * lengths[:, None])
    n_words = np.diff(words.text_starts)[:, None]
    return np.where(n_words > 0, sums / np.maximum(n_words, 1), empty).astype(np.float32)


def _padded(
    words: word_ngrams.WordNgrams, bounds: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    lengths = bounds[:, 1] - bounds[:, 0]
    sizes = np.diff(words.word_starts)
    most = max(int(sizes[start:end].max()) for start, end in bounds)
    ngrams = np.zeros((len(bounds), int(lengths.max()), most), np.int64)
    for row, (start, end) in enumerate(bounds.tolist()):
        for place, word in enumerate(range(start, end)):
            first, last = words.word_starts[word], words.word_starts[word + 1]
            ngrams[row, place, : last - first] = words.ids[first:last]
    return ngrams, lengths
