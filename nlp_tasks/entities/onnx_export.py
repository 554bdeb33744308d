"""Writes a model that finds entities for use without docmill and torch: from features or tokens to scores of tags."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlp_tasks import model_files
from nlp_tasks.classification.transformers import onnx_export as transformers
from nlp_tasks.entities import architecture, bilstm_crf, pretrained, trainer
from nlp_tasks.entities.bilstm_crf import RecurrentTagger, Sentence
from nlp_tasks.entities.pretrained import PretrainedTagger
from nlp_tasks.errors import ModelFileError, TrainingError
from nlp_tasks.kind import Documents
from nlp_tasks.onnx_graphs import checking, exporting
from nlp_tasks.onnx_graphs.exporting import Compute, Export, Exported
from nlp_tasks.onnx_graphs.slot import Network

#: Sentences, or windows, that go through a graph together.
TOGETHER = 32


def export(source: Path, target: Path, *, int8: bool, documents: Documents | None) -> Exported:
    """Write the model of a folder into another one. The loss of `int8` is measured on the held-out part of the
    documents that it was trained on. ModelFileError if it has no network, or scores differ from torch's."""
    config = model_files.read_config(source)
    if config["arch"] == "crf":
        raise ModelFileError(
            "arch crf cannot be written as ONNX: it is a file of python-crfsuite, which counts features and is no "
            "network: crfsuite reads model.crfsuite in its folder; leave --onnx out"
        )
    finder = architecture.load(source, "cpu")
    what = _of_features(finder) if isinstance(finder, RecurrentTagger) else _of_tokens(finder)
    texts = _held_out(documents, config["trained_with"]) if int8 and documents is not None else []
    return exporting.export(what, f"{config['arch']} in {source}", target, int8=int8, texts=texts)


def _held_out(documents: Documents, asked: dict[str, Any]) -> list[str]:
    """The texts that the model was not trained on; none if too few documents are left."""
    try:
        _, held_out = trainer.divide(documents, asked["field"], asked["held_out"])
    except TrainingError:
        return []
    return [each.text for each in held_out]


class FeatureScores(nn.Module):
    """From features of units (B, S, F), padded with 0, and lengths of sentences (B,) to scores of tags (B, S, K)."""

    def __init__(self, network: bilstm_crf.Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        rows = self.network.features.weight[features] * (features != 0)[:, :, :, None]
        return self.network.scores(rows.sum(dim=2), lengths)


def _of_features(tagger: RecurrentTagger) -> Export:
    sentences = torch.export.Dim("sentences")
    inputs = {"features": torch.ones(2, 7, 5, dtype=torch.int64), "lengths": torch.tensor([7, 5])}
    axes = {
        "features": {0: sentences, 1: torch.export.Dim("units"), 2: torch.export.Dim("features_of_a_unit")},
        "lengths": {0: sentences},
    }
    transitions, first, last = (each.detach().tolist() for each in tagger.network.chain.steps())
    return Export(
        network=Network(FeatureScores(tagger.network), inputs, axes, "scores"),
        about={
            "arch": "bilstm-crf",
            "inputs": {"features": "int64 (sentences, units, features)", "lengths": "int64 (sentences,)"},
            "output": {"scores": "float32 (sentences, units, tags)"},
            "padding": "0 at the end",
            "tags": tagger.names,
            "decoding": "Viterbi: a sequence has the sum of its scores, transitions[tag][next], first and last",
            "transitions": transitions,
            "first": first,
            "last": last,
        },
        write_files=partial(_write_features, tagger),
        answers=lambda texts, compute: _scores(tagger, texts, compute),
        expected=tagger.outputs,
        decided=checking.best,
        left_out=("Gather",),
    )


def _write_features(tagger: RecurrentTagger, folder: Path) -> None:
    """The features that have a number: the first has 1."""
    text = json.dumps(list(tagger.numbers), ensure_ascii=False)
    (folder / "features.json").write_text(text, encoding="utf-8")


def _scores(tagger: RecurrentTagger, texts: Sequence[str], compute: Compute) -> NDArray[np.float32]:
    sentences = tagger.sentences(texts)
    found = []
    for start in range(0, len(sentences), TOGETHER):
        some = sentences[start : start + TOGETHER]
        features, lengths = _padded(some)
        scores = compute({"features": features, "lengths": lengths})
        found += [row[:length] for row, length in zip(scores, lengths.tolist(), strict=True)]
    return np.concatenate([np.zeros((0, len(tagger.names)), np.float32), *found])


def _padded(sentences: Sequence[Sentence]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    lengths = np.array([len(each.units) for each in sentences], np.int64)
    most = max(len(bag) for each in sentences for bag in each.features)
    features = np.zeros((len(sentences), int(lengths.max()), most), np.int64)
    for row, sentence in enumerate(sentences):
        for place, bag in enumerate(sentence.features):
            features[row, place, : len(bag)] = bag
    return features, lengths


def _of_tokens(finder: Any) -> Export:
    assert isinstance(finder, PretrainedTagger)
    tagger: PretrainedTagger = finder
    model = tagger.inner

    def answers(texts: Sequence[str], compute: Compute) -> NDArray[np.float32]:
        return pretrained.flat(
            model, texts, lambda windows: transformers.computed(model, windows, compute), TOGETHER
        )

    return Export(
        network=model.slot("logits").network,
        about={"arch": "pretrained", "tags": tagger.names}
        | transformers.tokens_of(model)
        | {
            "output": {"logits": "float32 (windows, tokens, tags)"},
            "long_texts": "windows that overlap by a quarter; of a token in two, the one counts that is further from "
            "the window's edge",
        },
        write_files=partial(transformers.write_tokenizer, model),
        answers=answers,
        expected=tagger.outputs,
        decided=checking.best,
    )
