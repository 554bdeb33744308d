"""Documents that are near to everything, and how their scores are scaled down.

Some documents are among the nearest of many others, whatever these are about: hubs (Radovanović, Nanopoulos and
Ivanović 2010). Distances are therefore divided by how far each of the two documents is from its nearest ones in general
(Jégou, Harzallah and Schmid 2007): the nearest of a sample of the training documents that is stored with the model.
So the scale of a document depends on this document and the model alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from nlp_tasks.similarity.corpus import Corpus
from nlp_tasks.similarity.model import Model, References
from nlp_tasks.similarity.shared_terms import MOST_SCALE, TFIDF_SHARE, Terms, idf, packed
from nlp_tasks.similarity.term_products import Part
from nlp_tasks.similarity.word_counts import count

#: The number of reference documents, spread evenly over those of the training.
MOST_REFERENCES = 1000
#: The nearest ones of them that count.
NEAREST = 10
#: With fewer references, distances are not scaled.
LEAST_REFERENCES = 50
#: What is nearer than this is the document itself, or has the same text.
SAME = 1e-4


class Scales:
    """The scales of documents under a model."""

    def __init__(self, model: Model, references: References) -> None:
        self._idf = idf(model.document_counts, model.n_documents)
        self._mean = model.mean
        self._distance = references.distance
        self._vectors = _unit(references.vectors - model.mean)
        self._words = _part(references.terms, self._idf)

    def of(self, vectors: NDArray[np.float32], terms: Sequence[bytes]) -> NDArray[np.float64]:
        """From inferred vectors (B, D) and packed words to scales  # (B,)."""
        if not len(vectors):
            return np.zeros(0)
        return np.clip(np.sqrt(self._distance / self.distances(vectors, terms)), 1 / MOST_SCALE, MOST_SCALE)

    def distances(self, vectors: NDArray[np.float32], terms: Sequence[bytes]) -> NDArray[np.float64]:
        """The mean distance of documents from the nearest references  # (B,)."""
        # By torch, whose number of threads a training sets.
        cosines = torch.from_numpy(_unit(vectors - self._mean)) @ torch.from_numpy(self._vectors).T
        mixed = _part(terms, self._idf).mixed(cosines, self._words, TFIDF_SHARE).numpy()
        distances = 1.0 - mixed.astype(np.float64)  # (B, R)
        distances[distances < SAME] = np.inf
        nearest = np.partition(distances, NEAREST, axis=1)[:, :NEAREST]
        mean: NDArray[np.float64] = np.where(np.isfinite(nearest), nearest, 1.0).mean(axis=1)
        return np.maximum(mean, SAME)


def with_references(
    model: Model, corpus: Corpus, infer: Callable[[Sequence[Sequence[str]]], NDArray[np.float32]]
) -> Model:
    """The model with a sample of its training documents; the same if there are too few."""
    rows = np.unique(np.linspace(0, len(corpus) - 1, MOST_REFERENCES).astype(int)).tolist()
    texts = [words for row in rows if (words := corpus.document(row))]
    vectors = infer(texts)
    usable = np.flatnonzero(np.isfinite(vectors).all(axis=1)).tolist()
    if len(usable) < LEAST_REFERENCES:
        return model
    terms = packed(count([texts[row] for row in usable], model.numbers))
    references = References(vectors[usable], terms, 1.0)
    distances = Scales(model, references).distances(references.vectors, terms)
    return replace(model, references=replace(references, distance=float(distances.mean())))


def scales_of(model: Model) -> Scales | None:
    """None for a model without references: nothing is scaled."""
    return Scales(model, model.references) if model.references is not None else None


def _part(terms: Sequence[bytes], idf: NDArray[np.float32]) -> Part:
    no_columns = np.full(len(idf), -1, np.int64)
    return Part.of(Terms(terms, idf), np.arange(len(terms)), no_columns, "cpu")


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
