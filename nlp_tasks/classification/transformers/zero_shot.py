"""`zero-shot`: classification by a model for natural language inference, or for embeddings (Yin et al. 2019).

Nothing is trained. The labelled documents provide the names of the labels, each of which becomes a sentence ("This text
is about sport."), and are used to calibrate and to measure. With a model for natural language inference, the score of
a label is the model's score for "the text entails the sentence", as in the zero-shot pipeline of transformers. A long
text is read in windows; its score is the mean of theirs, weighted by their tokens. Embeddings are in
`zero_shot_embedding`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.classification.architecture import Examples, Fitted, State, Terms, Training
from nlp_tasks.classification.transformers import pretrained, zero_shot_embedding
from nlp_tasks.classification.transformers.pretrained import PretrainedClassifier, PretrainedModel, Windows
from nlp_tasks.classification.transformers.zero_shot_embedding import EmbeddingClassifier
from nlp_tasks.errors import TrainingError
from nlp_tasks.onnx_graphs.slot import Slot
from nlp_tasks.torch_device import seeded

ENTAILMENT = "entailment"


@dataclass
class ZeroShotClassifier:
    """A model for natural language inference, and a sentence for each label."""

    model: PretrainedClassifier
    sentences: list[str]
    batch_documents: int = 64
    batch_chars: int = 100_000
    decides = True

    def logits(self, texts: Sequence[str], beat: Callable[[], None]) -> NDArray[np.float32]:
        """Scores (N, K) of each text with each sentence."""
        columns = [self._entails(texts, sentence, beat) for sentence in self.sentences]
        return np.stack(columns, axis=1).astype(np.float32)

    def _entails(self, texts: Sequence[str], sentence: str, beat: Callable[[], None]) -> NDArray[np.float64]:
        """The score (N,) of one sentence for each text."""
        windows = _cut(self.model, texts, sentence)
        place = entailment(self.model.model.config)
        sums = np.zeros(windows.n_texts)
        self.model.model.eval()
        with torch.inference_mode():
            for chosen in pretrained.batches(windows, self.model.device):
                scores = pretrained.forward(self.model, [windows.inputs[place] for place in chosen])
                found = scores[:, place].float().cpu().numpy()
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
        """No terms: an inference model compares the sentence with the whole text."""
        return [[] for _ in texts]

    def slots(self) -> list[Slot]:
        """The whole model."""
        return [self.model.slot("logits", self.sentences[0])]

    def outputs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Scores (N, K)."""
        return self.logits(texts, heartbeat.beat)

    def state(self) -> State:
        """The model's state, and the sentences."""
        config, tensors = self.model.state()
        return config | {"sentences": self.sentences}, tensors


def load(
    config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str
) -> ZeroShotClassifier | EmbeddingClassifier:
    """The classifier that `state` described."""
    if config.get("by") == "embedding":
        return zero_shot_embedding.load(config, tensors, device)
    return ZeroShotClassifier(pretrained.load(config, tensors, device), config["sentences"])


def fit(examples: Examples, training: Training) -> Fitted:
    """Load the model in the folder `parameters.pretrained`; TrainingError if it is made for neither inference nor
    embeddings."""
    parameters = training.parameters
    sentences = [parameters.hypothesis.replace("{}", label) for label in examples.label_names]
    # Weights that the folder lacks, none of which is used here, are drawn at random.
    with seeded(parameters.seed, training.device):
        classifier = _open(Path(parameters.pretrained), sentences, training.device)
    validation_logits = classifier.logits(
        examples.validation_texts, lambda: training.progress(0, 1, "reading")
    )
    return Fitted(classifier, validation_logits)


def _open(folder: Path, sentences: list[str], device: str) -> ZeroShotClassifier | EmbeddingClassifier:
    config = pretrained.read_config(folder)
    if entailment(config) is not None:
        return ZeroShotClassifier(pretrained.open_folder(folder, device), sentences)
    made_for = config.architectures or ["an unknown purpose"]
    if config.is_encoder_decoder or any("For" in name for name in made_for):
        raise TrainingError(
            f"the model in {folder} is {', '.join(made_for)} without a label {ENTAILMENT!r}: zero-shot needs a model "
            "for natural language inference, or an encoder (such as BertModel) for embeddings"
        )
    auto = zero_shot_embedding.AUTO
    return EmbeddingClassifier(
        PretrainedModel(*pretrained.read_folder(folder, auto, device), device), sentences
    )


def entailment(config: Any) -> int | None:
    """The index of the model's output for entailment; None if it has none."""
    found = [number for name, number in config.label2id.items() if name.lower().startswith("entail")]
    return found[0] if found else None


def _cut(model: PretrainedClassifier, texts: Sequence[str], sentence: str) -> Windows:
    """The windows of every text, each followed by the sentence."""
    return pretrained.cut(model.tokenizer, model.model.config, texts, sentence)
