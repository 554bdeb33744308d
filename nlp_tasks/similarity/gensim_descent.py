"""Doc2Vec by the compiled stochastic gradient descent of gensim: an epoch over one document, and inference.

gensim seeds an inference by `hash()` of the text, which differs between processes, and drops the words of a document
after the first 10,000. Here the seed is derived from the text, and long documents are processed in slices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.similarity.model import Model, as_gensim

if TYPE_CHECKING:
    from gensim.models.doc2vec import Doc2Vec

#: MAX_DOCUMENT_LEN in gensim, which ignores further words.
SLICE_WORDS = 10_000


class Descent:
    """Steps of a gensim model on the rows of a matrix of document vectors, with their working memory."""

    def __init__(self, model: Doc2Vec, vectors: NDArray[np.float32], learn_model: bool) -> None:
        self.model = model
        self.vectors = vectors  # (N, D)
        self.learn_model = learn_model
        self._work = np.zeros(model.layer1_size, dtype=np.float32)
        self._neu1 = np.zeros(model.layer1_size, dtype=np.float32)
        self._lock = np.ones(1, dtype=np.float32)

    def step(self, row: int, words: Sequence[str], alpha: float) -> None:
        """One epoch over one document: updates its vector and, with `learn_model`, the model."""
        from gensim.models.doc2vec_inner import train_document_dbow, train_document_dm

        learn = {"learn_words": self.learn_model, "learn_hidden": self.learn_model}
        targets = {"doctag_vectors": self.vectors, "doctags_lockf": self._lock}
        for start in heartbeat.beating(range(0, len(words), SLICE_WORDS)):
            part = words[start : start + SLICE_WORDS]
            if self.model.dm:
                train_document_dm(self.model, part, [row], alpha, self._work, self._neu1, **learn, **targets)
            else:
                train_document_dbow(self.model, part, [row], alpha, self._work, **learn, **targets)


class DescentInference:
    """A model loaded for inference by gradient descent, one document at a time."""

    def __init__(self, model: Model, beat: Callable[[], None] = lambda: None) -> None:
        self._gensim = as_gensim(model)
        self._epochs = model.infer_epochs
        self._beat = beat

    def __call__(self, documents: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        """One vector per document, not normalised  # (B, D)."""
        vectors = np.zeros((len(documents), self._gensim.vector_size), dtype=np.float32)
        for row, words in enumerate(documents):
            vectors[row] = infer(self._gensim, words, self._epochs)
            self._beat()
        return vectors


def infer(model: Doc2Vec, words: Sequence[str], epochs: int) -> NDArray[np.float32]:
    """The vector of a document: the same words give the same vector in every process."""
    digest = hashlib.blake2b("\0".join(words).encode(errors="surrogatepass"), digest_size=4)
    seed = int.from_bytes(digest.digest(), "little")
    model.random.seed(seed)
    start = np.random.Generator(np.random.SFC64(seed)).random(model.vector_size)
    vectors: NDArray[np.float32] = ((start - 0.5) / model.vector_size).astype(np.float32)[
        None
    ]  # as in gensim
    descent = Descent(model, vectors, learn_model=False)
    for alpha in learning_rates(model.alpha, model.min_alpha, epochs):
        descent.step(0, words, alpha)
    vector: NDArray[np.float32] = vectors[0]
    return vector


def learning_rates(alpha: float, min_alpha: float, epochs: int) -> NDArray[np.float64]:
    """The learning rate of gensim in each epoch of an inference."""
    falls = (alpha - min_alpha) / max(epochs - 1, 1)
    return alpha - falls * np.arange(epochs, dtype=np.float64)
