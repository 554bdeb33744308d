"""The vectors of documents by an encoder, for runners: opened once, in batches, with an error for a document without
one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.encoders import Long, open_folder
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Setup
from nlp_tasks.onnx_graphs import using


@dataclass(frozen=True)
class Vector:
    """What an encoder makes of a document."""

    vector: NDArray[np.float32]  # (D,)
    n_tokens: int


class Vectorizer:
    """An open model for the documents of a stage."""

    #: Many, so that they can be sorted by length.
    batch_documents = 1024
    batch_chars = 2_000_000

    def __init__(self, setup: Setup, prompt: str, long: Long) -> None:
        """`prompt` as `Description.prompt` takes it."""
        assert setup.model_dir is not None
        self._encoder = open_folder(setup.model_dir, setup.device)
        using.use(self._encoder, setup)
        self._prompt = self._encoder.description.prompt(prompt)
        self._long, self._beat = long, setup.beat
        self.dimensions = self._encoder.dimensions

    def vectors(self, documents: Sequence[Document]) -> list[Vector | DocumentError]:
        """One for each document. EMPTY_TEXT if it is blank, NO_KNOWN_WORDS if the model knows nothing of it, NO_VECTOR
        if what it makes is no direction."""
        texts = [document.text for document in documents if document.text.strip()]
        found = self._encoder.embed(texts, self._prompt, self._long, self._beat)
        each = zip(found.vectors, found.n_tokens.tolist(), strict=True)
        return [
            _checked(*next(each))
            if document.text.strip()
            else DocumentError("EMPTY_TEXT", "the text is empty or blank")
            for document in documents
        ]


def _checked(vector: NDArray[np.float32], n_tokens: int) -> Vector | DocumentError:
    if n_tokens == 0:
        return DocumentError("NO_KNOWN_WORDS", "the model knows no token of the text")
    if not np.isfinite(vector).all() or not vector.any():
        return DocumentError("NO_VECTOR", "the model makes no vector of the text: it has no direction")
    return Vector(vector, n_tokens)
