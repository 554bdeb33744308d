"""`zero-shot`: a natural language inference model from a local folder says what a text is about (Yin et al. 2019).

Nothing is trained: the labelled documents name the labels, of which each becomes a sentence ("This text is about
sport."), and serve to calibrate and to measure. A label's score is the model's score for "the text entails the
sentence", as in transformers' zero-shot pipeline; a long text is read in windows, whose scores are averaged by their
tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.checkpoint import Checkpoint
from nlp_tasks.classification import TrainParameters, pretrained
from nlp_tasks.classification.architecture import Examples, Fitted, State, Terms
from nlp_tasks.classification.pretrained import PretrainedClassifier, Windows
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Progress

ENTAILMENT = "entailment"


@dataclass
class ZeroShotClassifier:
    """The inference model, and a sentence for each label."""

    model: PretrainedClassifier
    sentences: list[str]
    batch_documents: int = 64
    batch_chars: int = 100_000

    def logits(self, texts: Sequence[str], beat: Callable[[], None]) -> NDArray[np.float32]:
        """Scores (N, K): of each text with each sentence."""
        columns = [self._entails(texts, sentence, beat) for sentence in self.sentences]
        return np.stack(columns, axis=1).astype(np.float32)

    def _entails(self, texts: Sequence[str], sentence: str, beat: Callable[[], None]) -> NDArray[np.float64]:
        """The score (N,) of one sentence for each text."""
        windows = _cut(self.model, texts, sentence)
        entailment = _entailment(self.model.model.config)
        sums = np.zeros(windows.n_texts)
        self.model.model.eval()
        with torch.inference_mode():
            for chosen in pretrained.by_length(windows.lengths, self.model.device):
                scores = pretrained.forward(self.model, [windows.inputs[place] for place in chosen])
                found = scores[:, entailment].float().cpu().numpy()
                np.add.at(sums, windows.owner[chosen], found * windows.lengths[chosen])
                beat()
        totals = np.bincount(windows.owner, weights=windows.lengths, minlength=windows.n_texts)
        return np.asarray(sums / totals)

    def explain(
        self,
        texts: Sequence[str],
        labels: Sequence[int],  # noqa: ARG002
        most: int,  # noqa: ARG002
        beat: Callable[[], None],  # noqa: ARG002
    ) -> list[Terms]:
        """Nothing: an inference model weighs the sentence against the whole text."""
        return [[] for _ in texts]

    def state(self) -> State:
        """The model's state, and the sentences."""
        config, tensors = self.model.state()
        return config | {"sentences": self.sentences}, tensors


def load(config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str) -> ZeroShotClassifier:
    """The classifier that `state` described."""
    return ZeroShotClassifier(pretrained.load(config, tensors, device), config["sentences"])


def fit(
    examples: Examples,
    parameters: TrainParameters,
    device: str,
    progress: Progress,
    checkpoint: Checkpoint | None = None,  # noqa: ARG001 (nothing is trained)
) -> Fitted:
    """Open the model in the folder `parameters.pretrained`; TrainingError if it is not for inference."""
    model = pretrained.open_folder(Path(parameters.pretrained), None, device)
    if _entailment(model.model.config) is None:
        raise TrainingError(
            f"the model in {parameters.pretrained} has no label {ENTAILMENT!r}: zero-shot needs a model for natural "
            "language inference"
        )
    sentences = [parameters.hypothesis.replace("{}", label) for label in examples.label_names]
    classifier = ZeroShotClassifier(model, sentences)
    return Fitted(classifier, classifier.logits(examples.tune_texts, lambda: progress(0, 1, "reading")))


def _entailment(config: Any) -> int | None:
    """The number of the model's output for entailment."""
    found = [number for name, number in config.label2id.items() if name.lower().startswith("entail")]
    return found[0] if found else None


def _cut(model: PretrainedClassifier, texts: Sequence[str], sentence: str) -> Windows:
    """Every text in windows, each followed by the sentence."""
    return pretrained.cut(model.tokenizer, model.model.config, texts, sentence)
