"""`zero-shot` with an embedding model: the label whose sentence is nearest to the text by cosine similarity.

The embedding of a text is the mean of the last hidden states of its tokens (Reimers and Gurevych 2019). A long text is
read in windows, and the mean is taken over the tokens of all windows. The sentences of the labels are embedded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.classification.architecture import State, Terms
from nlp_tasks.classification.attribution import heaviest
from nlp_tasks.classification.transformers import pretrained
from nlp_tasks.classification.transformers.pretrained import PretrainedModel, Windows
from nlp_tasks.onnx_graphs.slot import Slot

#: Factor of the cosines, the one that sentence-transformers uses in training: cosines are close together, and a small
#: validation set is not enough to find their scale.
SCALE = 20.0
#: The class of transformers that loads such a model.
AUTO = "AutoModel"


@dataclass
class EmbeddingClassifier:
    """An encoder, and a sentence for each label."""

    model: PretrainedModel
    sentences: list[str]
    batch_documents: int = 256
    batch_chars: int = 200_000
    decides = True

    def __post_init__(self) -> None:
        directions = embed(self.model, self.sentences, heartbeat.beat)  # (K, D)
        #: Minus their mean, which is what they have in common, so that the scores of a text sum to 0.
        self.directions = SCALE * (
            directions - directions.mean(axis=0) if len(directions) > 1 else directions
        )

    def logits(self, texts: Sequence[str], beat: Callable[[], None]) -> NDArray[np.float32]:
        """Scores (N, K): cosines of texts and sentences, minus the mean of each text, times SCALE."""
        scores: NDArray[np.float64] = embed(self.model, texts, beat) @ self.directions.T
        return scores.astype(np.float32)

    def explain(
        self, texts: Sequence[str], labels: Sequence[int], most: int, beat: Callable[[], None]
    ) -> list[Terms]:
        """The tokens, without special ones, with what each adds to the score, which is a sum over tokens."""
        special = set(self.model.tokenizer.all_special_ids)
        found = []
        for text, label in zip(texts, labels, strict=True):
            windows = _cut(self.model, [text])
            vectors = [
                (id_, vector)
                for _, place, of_window in _token_vectors(self.model, windows, beat)
                for id_, vector in zip(windows.inputs[place]["input_ids"], of_window, strict=True)
            ]
            length = float(_length(np.sum([vector for _, vector in vectors], axis=0))[0])
            tokens = self.model.tokenizer.convert_ids_to_tokens([id_ for id_, _ in vectors])
            pulls = [
                (token, float(vector @ self.directions[label]) / length)
                for token, (id_, vector) in zip(tokens, vectors, strict=True)
                if id_ not in special
            ]
            found.append(heaviest(pulls, most))
        return found

    def slots(self) -> list[Slot]:
        """The whole model."""
        return [self.model.slot("last_hidden_state")]

    def outputs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Scores (N, K)."""
        return self.logits(texts, heartbeat.beat)

    def state(self) -> State:
        """The model's state, and the sentences."""
        config, tensors = self.model.state()
        return config | {"sentences": self.sentences, "by": "embedding"}, tensors


def load(config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str) -> EmbeddingClassifier:
    """The classifier that `state` described."""
    model = PretrainedModel(*pretrained.restore(config, tensors, AUTO, device), device)
    return EmbeddingClassifier(model, config["sentences"])


def embed(model: PretrainedModel, texts: Sequence[str], beat: Callable[[], None]) -> NDArray[np.float64]:
    """The embeddings (N, D) of texts, normalised to length 1."""
    return embed_windows(model, _cut(model, texts), beat)


def embed_windows(model: PretrainedModel, windows: Windows, beat: Callable[[], None]) -> NDArray[np.float64]:
    """The same of texts that are cut already."""
    sums = np.zeros((windows.n_texts, model.model.config.hidden_size))
    for owner, _, vectors in _token_vectors(model, windows, beat):
        sums[owner] += vectors.sum(axis=0)
    return sums / _length(sums)


def _cut(model: PretrainedModel, texts: Sequence[str]) -> Windows:
    return pretrained.cut(model.tokenizer, model.model.config, texts)


def _token_vectors(
    model: PretrainedModel, windows: Windows, beat: Callable[[], None]
) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """(text, window, last hidden states of its tokens (S, D)) of every window, in batches of similar length."""
    model.model.eval()
    for chosen in pretrained.batches(windows, model.device):
        with torch.inference_mode():
            hidden = pretrained.hidden_states(model, [windows.inputs[place] for place in chosen])
        vectors = hidden.float().cpu().numpy().astype(np.float64)  # (B, S, D)
        for place, of_window in zip(chosen, vectors, strict=True):
            # The padding may be on either side.
            start = 0 if model.tokenizer.padding_side == "right" else len(of_window) - windows.lengths[place]
            yield int(windows.owner[place]), int(place), of_window[start : start + windows.lengths[place]]
        beat()


def _length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lengths (..., 1) of vectors (..., D), never 0."""
    found: NDArray[np.float64] = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.maximum(found, 1e-12)
