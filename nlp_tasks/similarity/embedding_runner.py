"""The stage `embed`: from documents to centred vectors of length 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Setup
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.embedding import EmbeddingRow
from nlp_tasks.similarity.infer_runner import Inferrer
from nlp_tasks.text import tokens


class Embedder:
    """Runner of the stage `embed`."""

    batch_documents = Inferrer.batch_documents
    batch_chars = Inferrer.batch_chars

    def __init__(self, setup: Setup) -> None:
        assert setup.model_dir is not None
        self._infer = Inferrer(setup)
        self._mean = models.load(setup.model_dir).mean

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        """An EmbeddingRow for each document; the errors are those of inference."""
        found = self._infer.run(documents)
        return [self._row(document, each) for document, each in zip(documents, found, strict=True)]

    def _row(self, document: Document, found: Result) -> Result:
        if isinstance(found, DocumentError):
            return found
        vector = np.frombuffer(found[0].vector, dtype="<f4") - self._mean  # type: ignore[union-attr]
        length = float(np.linalg.norm(vector))
        if length == 0:
            return DocumentError("NO_VECTOR", "the vector is that of an average text: it has no direction")
        return [EmbeddingRow((vector / length).astype("<f4").tobytes(), len(tokens(document.text)))]
