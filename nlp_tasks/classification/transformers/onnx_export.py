"""What is exported of classifiers that start from a transformers model: from tokens to scores of labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlp_tasks import heartbeat
from nlp_tasks.classification.transformers import pretrained, zero_shot_embedding
from nlp_tasks.classification.transformers.encoder import EncoderClassifier
from nlp_tasks.classification.transformers.pooled import PooledClassifier
from nlp_tasks.classification.transformers.pretrained import PretrainedClassifier, PretrainedModel, Windows
from nlp_tasks.classification.transformers.zero_shot import ZeroShotClassifier, entailment
from nlp_tasks.classification.transformers.zero_shot_embedding import EmbeddingClassifier
from nlp_tasks.encoders import onnx_export as encoders
from nlp_tasks.encoders.transformer_encoder import TransformerEncoder
from nlp_tasks.errors import ModelFileError
from nlp_tasks.onnx_graphs.exporting import TOKENIZER, Compute, Export
from nlp_tasks.onnx_graphs.slot import Network

WEIGHTED = "the mean of the scores of a text's windows, weighted by their tokens"
FIRST = "only the first max_tokens tokens of a text are read; docmill reads all of it in windows"

Decided = Callable[[NDArray[np.float32]], NDArray[Any]]


def export_of(classifier: Any, source: Path, about: dict[str, Any], decided: Decided) -> Export:
    """What is exported of a loaded classifier. ModelFileError if it has no network."""
    if isinstance(classifier, EncoderClassifier):
        return _of_encoder(classifier, encoders.transformer(classifier.encoder, source), about, decided)
    if isinstance(classifier, ZeroShotClassifier):
        return _of_entailment(classifier, about, decided)
    if isinstance(classifier, EmbeddingClassifier):
        return _of_sentences(classifier, about, decided)
    assert isinstance(classifier, PretrainedClassifier)
    return Export(
        network=classifier.slot("logits").network,
        about=about | tokens_of(classifier) | {"prompt": _prompt(classifier), "long_texts": WEIGHTED},
        write_files=partial(write_tokenizer, classifier),
        answers=lambda texts, compute: _weighted(classifier, classifier.windows(texts), compute),
        expected=lambda texts: classifier.logits(texts, heartbeat.beat),
        decided=decided,
    )


def _prompt(classifier: PretrainedClassifier) -> str:
    """What stands before each text. Models of older versions have no such thing."""
    return classifier.prompt if isinstance(classifier, PooledClassifier) else ""


def tokens_of(model: PretrainedModel) -> dict[str, Any]:
    """What a program needs to know of the inputs of a transformers model."""
    tokenizer = model.tokenizer
    return {
        "inputs": dict.fromkeys(model.slot("logits").network.inputs, "int64 (windows, tokens)"),
        "output": {"logits": "float32 (windows, labels)"},
        "max_tokens": pretrained.longest(tokenizer, model.model.config),
        "pad_id": tokenizer.pad_token_id,
        "padding": "at the end" if tokenizer.padding_side == "right" else "at the beginning",
    }


def write_tokenizer(model: PretrainedModel, folder: Path) -> None:
    """The tokenizer, without a limit of its own. ModelFileError if it is written in Python."""
    if not getattr(model.tokenizer, "is_fast", False):
        raise ModelFileError("the tokenizer is written in Python: convert it to a tokenizer.json")
    backend = model.tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.save(str(folder / TOKENIZER))


def computed(
    model: PretrainedModel, windows: Sequence[dict[str, list[int]]], compute: Compute
) -> NDArray[np.float32]:
    """The output of a graph for windows, as one padded batch."""
    return compute({name: tensor.numpy() for name, tensor in pretrained.pad(model, windows).items()})


def _cut(model: PretrainedModel, texts: Sequence[str], second: str | None = None) -> Windows:
    return pretrained.cut(model.tokenizer, model.model.config, texts, second)


def _weighted(model: PretrainedModel, windows: Windows, compute: Compute) -> NDArray[np.float32]:
    """The means of the windows' scores."""
    scores = computed(model, windows.inputs, compute)
    sums = np.zeros((windows.n_texts, scores.shape[1]))
    np.add.at(sums, windows.owner, scores * windows.lengths[:, None])
    totals = np.bincount(windows.owner, weights=windows.lengths, minlength=windows.n_texts)
    return (sums / totals[:, None]).astype(np.float32)


def _of_entailment(classifier: ZeroShotClassifier, about: dict[str, Any], decided: Decided) -> Export:
    model = classifier.model
    place = entailment(model.model.config)

    def answers(texts: Sequence[str], compute: Compute) -> NDArray[np.float32]:
        columns = [
            _weighted(model, _cut(model, texts, sentence), compute)[:, place]
            for sentence in classifier.sentences
        ]
        return np.stack(columns, axis=1)

    return Export(
        network=model.slot("logits", classifier.sentences[0]).network,
        about=about
        | tokens_of(model)
        | {
            "inputs": dict.fromkeys(
                model.slot("logits", classifier.sentences[0]).network.inputs, "int64 (windows, tokens)"
            ),
            "pairs": "each text with the sentence of each label; its score is the output at this place",
            "sentences": classifier.sentences,
            "entailment": place,
            "long_texts": WEIGHTED,
        },
        write_files=partial(write_tokenizer, model),
        answers=answers,
        expected=lambda texts: classifier.logits(texts, heartbeat.beat),
        decided=decided,
    )


class SentenceScores(nn.Module):
    """From token ids to cosines with the sentences of the labels."""

    def __init__(self, classifier: EmbeddingClassifier, names: list[str]) -> None:
        super().__init__()
        self.model = pretrained.OneOutput(classifier.model.model, names, "last_hidden_state")
        self._at = names.index("attention_mask")
        self.register_buffer("directions", torch.from_numpy(classifier.directions).float())
        self.directions: Tensor

    def forward(self, *inputs: Tensor) -> Tensor:
        sums = (self.model(*inputs) * inputs[self._at][:, :, None]).sum(dim=1)
        return nn.functional.normalize(sums, dim=1) @ self.directions.T


def _of_sentences(classifier: EmbeddingClassifier, about: dict[str, Any], decided: Decided) -> Export:
    model = classifier.model
    whole = model.slot("last_hidden_state").network
    network = Network(SentenceScores(classifier, list(whole.inputs)), whole.inputs, whole.axes, "logits")
    most = pretrained.longest(model.tokenizer, model.model.config)

    def first(texts: Sequence[str]) -> Windows:
        """The first window of each text."""
        windows = _cut(model, texts)
        owner, places = np.unique(windows.owner, return_index=True)
        inputs = [windows.inputs[place] for place in places.tolist()]
        return Windows(inputs, owner, windows.lengths[places], windows.n_texts)

    def expected(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = zero_shot_embedding.embed_windows(model, first(texts), heartbeat.beat)
        return np.asarray(vectors @ classifier.directions.T, np.float32)

    return Export(
        network=network,
        about=about | tokens_of(model) | {"max_tokens": most, "long_texts": FIRST},
        write_files=partial(write_tokenizer, model),
        answers=lambda texts, compute: computed(model, first(texts).inputs, compute),
        expected=expected,
        decided=decided,
    )


class HeadScores(nn.Module):
    """From token ids to scores of labels, by a logistic regression on vectors."""

    def __init__(self, classifier: EncoderClassifier, encoder: TransformerEncoder) -> None:
        super().__init__()
        self.vectors = encoders.TextVectors(encoder, encoders.n_left_out(encoder))
        head = classifier.head
        self.register_buffer("mean", torch.from_numpy(head.mean))
        self.register_buffer("matrix", torch.from_numpy(head.matrix))
        self.register_buffer("bias", torch.from_numpy(head.bias))
        self.scale = float(head.scale)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        rows = (self.vectors(input_ids, attention_mask) - self.get_buffer("mean")) / self.scale
        scores: Tensor = rows @ self.get_buffer("matrix") + self.get_buffer("bias")
        return scores


def _of_encoder(
    classifier: EncoderClassifier, encoder: TransformerEncoder, about: dict[str, Any], decided: Decided
) -> Export:
    prompt = encoder.description.prompt()
    return Export(
        network=encoders.network(encoder, HeadScores(classifier, encoder), "scores"),
        about=encoders.about(encoder)
        | about
        | {"output": {"scores": "float32 (texts, labels)"}, "long_texts": FIRST},
        write_files=partial(encoders.write_tokenizer, encoder),
        answers=lambda texts, compute: encoders.computed(encoder, texts, compute),
        expected=lambda texts: classifier.head.scores(
            encoder.embed(texts, prompt, "truncate", heartbeat.beat).vectors
        ),
        decided=decided,
    )
