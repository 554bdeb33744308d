"""`nearest`: k-nearest-neighbours classification by Doc2Vec vectors. For few labelled documents.

The vectors come from a similarity model that was trained on many documents without labels (`pretrained` is its
folder), or from one that is trained on the labelled documents themselves, which takes at least a few hundred of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.classification.architecture import Examples, Fitted, State, Terms, Training
from nlp_tasks.classification.attribution import heaviest
from nlp_tasks.classification.calibration import calibrate
from nlp_tasks.errors import ModelFileError, TrainingError
from nlp_tasks.kind import Document
from nlp_tasks.similarity import TrainSimilarityParameters
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity import trainer as similarity
from nlp_tasks.similarity.infer_runner import inference
from nlp_tasks.text import tokens

#: Numbers of neighbours to choose from, by the validation examples.
NEIGHBOURS = (1, 3, 5, 10, 20)
#: The vote of a neighbour is exp(SHARPNESS * cosine); a label without votes gets LEAST_VOTE.
SHARPNESS, LEAST_VOTE = 8.0, 1.0
#: Texts whose vectors are inferred at a time.
TOGETHER = 512
#: Texts whose votes are counted at a time.
VOTES_TOGETHER = 64
#: For attribution, at most this many different words of a text are left out, one by one.
MOST_WORDS = 200


@dataclass(frozen=True)
class _Texts:
    """Texts in the form that the training of a similarity model reads."""

    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[Document]:
        return (Document(number, str(number), text) for number, text in enumerate(self.texts))


class NearestClassifier:
    """A Doc2Vec model, and the vectors and labels of the labelled documents."""

    batch_documents = TOGETHER
    batch_chars = 4_000_000

    def __init__(
        self,
        model: models.Model,
        vectors: NDArray[np.float32],  # (N, D)
        labels: NDArray[np.int64],  # (N,) or (N, K)
        n_labels: int,
        device: str,
    ) -> None:
        self.model, self.vectors, self.labels, self.n_labels = model, vectors, labels, n_labels
        self.device, self.neighbours = device, NEIGHBOURS[0]
        self._known = frozenset(model.words)
        self._members = (
            labels.astype(np.float32) if labels.ndim > 1 else np.eye(n_labels, dtype=np.float32)[labels]
        )

    def logits(self, texts: Sequence[str], beat: Callable[[], None]) -> NDArray[np.float32]:
        """Scores (N, K). All scores of a text without a known word are equal."""
        return self.votes(self.infer([self._words(text) for text in texts], beat))

    def infer(self, words: Sequence[Sequence[str]], beat: Callable[[], None]) -> NDArray[np.float32]:
        """Vectors of length one (N, D); zeros for a text without words."""
        vectors = np.zeros((len(words), self.vectors.shape[1]), np.float32)
        usable = [place for place, each in enumerate(words) if each]
        infer = inference(self.model, self.device, beat)
        for start in range(0, len(usable), TOGETHER):
            places = usable[start : start + TOGETHER]
            vectors[places] = infer([words[place] for place in places])
            beat()
        return unit(np.nan_to_num(vectors))

    def votes(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (N, K) of inferred vectors: the log of the neighbours' votes, or of the odds if texts have several
        labels."""
        parts = [
            self._votes(vectors[first : first + VOTES_TOGETHER])
            for first in heartbeat.beating(range(0, len(vectors), VOTES_TOGETHER))
        ]
        return np.concatenate([np.zeros((0, self.n_labels), np.float32), *parts])

    def _votes(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        cosines = vectors @ self.vectors.T  # (N, M)
        k = min(self.neighbours, cosines.shape[1])
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        weights = np.exp(SHARPNESS * np.take_along_axis(cosines, nearest, axis=1))
        weights *= vectors.any(axis=1, keepdims=True)
        votes = (weights[:, :, None] * self._members[nearest]).sum(axis=1)  # (N, K)
        scores = np.log(votes + LEAST_VOTE)
        if self.labels.ndim > 1:
            scores -= np.log(weights.sum(axis=1, keepdims=True) - votes + LEAST_VOTE)
        return np.asarray(scores, np.float32)

    def explain(
        self, texts: Sequence[str], labels: Sequence[int], most: int, beat: Callable[[], None]
    ) -> list[Terms]:
        """How much the score drops when all occurrences of a word are left out."""
        found = []
        for text, label in zip(texts, labels, strict=True):
            words = self._words(text)
            different = list(dict.fromkeys(words))[:MOST_WORDS]
            variants = [words, *([word for word in words if word != gone] for gone in different)]
            scores = self.votes(self.infer(variants, beat))
            pulls = scores[:, label] - scores.mean(axis=1)
            lost = (pulls[0] - pulls[1:]).tolist()
            found.append(heaviest(zip(different, lost, strict=True), most))
        return found

    def state(self) -> State:
        """The Doc2Vec model, and the labelled documents' vectors and labels."""
        config, tensors = models.packed(self.model)
        config |= {"n_labels": self.n_labels, "neighbours": self.neighbours}
        return config, tensors | {"vectors": self.vectors, "labels": self.labels}

    def _words(self, text: str) -> list[str]:
        return [word for word in tokens(text) if word in self._known]


def load(config: dict[str, Any], tensors: dict[str, NDArray[Any]], device: str) -> NearestClassifier:
    """The classifier that `state` described."""
    model = models.unpacked(config, tensors)
    found = NearestClassifier(model, tensors["vectors"], tensors["labels"], config["n_labels"], device)
    found.neighbours = config["neighbours"]
    return found


def fit(examples: Examples, training: Training) -> Fitted:
    """Choose the number of neighbours by the validation examples; then use all examples as neighbours."""
    model, device = _doc2vec(examples, training), training.device

    def beat() -> None:
        training.progress(1, 1, "inferring vectors")

    nobody = np.zeros((0, model.output.shape[1]), np.float32)
    infers = NearestClassifier(model, nobody, examples.labels[:0], examples.n_labels, device)
    vectors, validation_vectors = (
        infers.infer([infers._words(text) for text in texts], beat)
        for texts in (examples.texts, examples.validation_texts)
    )
    classifier = NearestClassifier(model, vectors, examples.labels, examples.n_labels, device)

    def asked(neighbours: int) -> NDArray[np.float32]:
        classifier.neighbours = neighbours
        return classifier.votes(validation_vectors)

    best = min(NEIGHBOURS, key=lambda k: calibrate(asked(k), examples.validation_labels).loss)
    validation_logits = asked(best)
    everybody = np.concatenate([vectors, validation_vectors])
    labels = np.concatenate([examples.labels, examples.validation_labels])
    whole = NearestClassifier(model, everybody, labels, examples.n_labels, device)
    whole.neighbours = best
    return Fitted(whole, validation_logits)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors (N, D) scaled to length one; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def _doc2vec(examples: Examples, training: Training) -> models.Model:
    parameters = training.parameters
    if parameters.pretrained:
        try:
            return models.load(Path(parameters.pretrained))
        except ModelFileError as error:
            raise TrainingError(
                f"{error}; `pretrained` is the folder of a model that `docmill train similarity` made"
            ) from error
    with tempfile.TemporaryDirectory() as folder:
        chosen = TrainSimilarityParameters(seed=parameters.seed)
        if parameters.epochs:
            chosen = replace(chosen, epochs=parameters.epochs)
        texts = _Texts([*examples.texts, *examples.validation_texts])
        similarity.train(texts, chosen, training.device, Path(folder), training.progress)
        return models.load(Path(folder))
