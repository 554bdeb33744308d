"""The stage `embed`: from documents to vectors of length 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.encoders.documents import Vectorizer
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Setup
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.embedding import EmbeddingRow, EmbedParameters
from nlp_tasks.similarity.infer_runner import Inferrer
from nlp_tasks.text import tokens


class Embedder:
    """Runner of the stage `embed` with an imported model."""

    batch_documents = Vectorizer.batch_documents
    batch_chars = Vectorizer.batch_chars

    def __init__(self, setup: Setup) -> None:
        asked: EmbedParameters = setup.parameters
        self._vectorizer = Vectorizer(setup, asked.prompt, asked.long)
        self._dimensions = asked.dimensions
        self._size = self._vectorizer.dimensions

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        """An EmbeddingRow for each document; errors as of `Vectorizer`, and DIMENSIONS if more numbers are asked for
        than the model's vectors have."""
        if self._dimensions > self._size:
            why = f"the model's vectors have {self._size} dimensions, fewer than {self._dimensions}: ask for fewer"
            return [DocumentError("DIMENSIONS", why) for _ in documents]
        found = self._vectorizer.vectors(documents)
        return [
            each
            if isinstance(each, DocumentError)
            else _row(each.vector[: self._dimensions or self._size], each.n_tokens)
            for each in found
        ]


class Doc2VecEmbedder:
    """Runner of the stage `embed` with a Doc2Vec model."""

    batch_documents = Inferrer.batch_documents
    batch_chars = Inferrer.batch_chars

    def __init__(self, setup: Setup) -> None:
        assert setup.model_dir is not None
        self._infer = Inferrer(setup)
        self._mean = models.load(setup.model_dir).mean
        self._asked: EmbedParameters = setup.parameters

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        """An EmbeddingRow for each document; the errors are those of inference, and DIMENSIONS if another number of
        dimensions is asked for than the model's."""
        size = len(self._mean)
        if self._asked.dimensions not in (0, size):
            why = (
                f"the model's vectors have {size} dimensions and cannot be shortened to {self._asked.dimensions}: "
                "leave dimensions out, or train a model with another vector_size"
            )
            return [DocumentError("DIMENSIONS", why) for _ in documents]
        found = self._infer.run(documents)
        return [self._row(document, each) for document, each in zip(documents, found, strict=True)]

    def _row(self, document: Document, found: Result) -> Result:
        if isinstance(found, DocumentError):
            return found
        vector = np.frombuffer(found[0].vector, dtype="<f4") - self._mean  # type: ignore[union-attr]
        if not vector.any():
            return DocumentError("NO_VECTOR", "the vector is that of an average text: it has no direction")
        return _row(vector, len(tokens(document.text)))


def _row(vector: NDArray[np.float32], n_tokens: int) -> list[EmbeddingRow]:
    length = max(float(np.linalg.norm(vector)), 1e-12)
    return [EmbeddingRow((vector / length).astype("<f4").tobytes(), n_tokens)]
