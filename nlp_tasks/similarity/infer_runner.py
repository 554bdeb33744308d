"""The stage `infer`: from documents to vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Setup
from nlp_tasks.similarity import VectorRow
from nlp_tasks.similarity import model as models
from nlp_tasks.similarity.gensim_descent import DescentInference
from nlp_tasks.similarity.hubness import scales_of
from nlp_tasks.similarity.inference import DbowInference
from nlp_tasks.similarity.model import Model
from nlp_tasks.similarity.shared_terms import packed
from nlp_tasks.similarity.word_counts import count
from nlp_tasks.text import tokens

#: From the words of some documents to their vectors  # (B, D).
Inference: TypeAlias = Callable[[Sequence[Sequence[str]]], NDArray[np.float32]]


def inference(model: Model, device: str, beat: Callable[[], None] = lambda: None) -> Inference:
    """The inference for a model: in batches for PV-DBOW; for PV-DM by gensim, one document at a time."""
    if model.parameters.architecture == "dbow":
        return DbowInference(model, device, beat)
    return DescentInference(model, beat)


class Inferrer:
    """Runner of the stage `infer`."""

    batch_documents = 512
    batch_chars = 4_000_000

    def __init__(self, setup: Setup) -> None:
        assert setup.model_dir is not None
        model = models.load(setup.model_dir)
        self._known = model.numbers
        self._infer = inference(model, setup.device, setup.beat)
        self._scales = scales_of(model)
        self._beat = setup.beat

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        """A VectorRow for each document; EMPTY_TEXT if it is blank, NO_KNOWN_WORDS if the model knows none of its
        words, NO_VECTOR if the inference diverges."""
        words = [self._words(document) for document in documents]
        usable = [each for each in words if isinstance(each, list)]
        vectors, terms = self._infer(usable).astype("<f4"), packed(count(usable, self._known))
        scales = self._scales.of(vectors, terms).tolist() if self._scales is not None else [None] * len(terms)
        found = zip(vectors, terms, scales, strict=True)
        return [each if isinstance(each, DocumentError) else _row_or_error(*next(found)) for each in words]

    def _words(self, document: Document) -> list[str] | DocumentError:
        self._beat()
        if not document.text.strip():
            return DocumentError("EMPTY_TEXT", "the text is empty or blank")
        words = tokens(document.text)
        known = [word for word in words if word in self._known]
        if not known:
            return DocumentError(
                "NO_KNOWN_WORDS", f"the model knows none of the {len(words)} words of the text"
            )
        return known


def _row_or_error(
    vector: NDArray[np.float32], terms: bytes, scale: float | None
) -> Sequence[VectorRow] | DocumentError:
    if not np.isfinite(vector).all():
        return DocumentError("NO_VECTOR", "the inference diverged: train the model with other parameters")
    return [VectorRow(vector.tobytes(), terms, scale)]
