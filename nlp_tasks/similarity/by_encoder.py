"""Similarity by an imported model: the methods `embedding` and `hybrid-embedding`.

Its stages are those of Doc2Vec with another source of vectors and of words. An imported model has no list of words
with their frequencies. So the words of a document are stored beside its vector as they are, and numbered when a search
begins. With `embedding`, words do not count in a score, and those that are shown have the weight of their counts: no
list changes because another document does. With `hybrid-embedding`, frequencies are those of the documents that are
searched.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.encoders.documents import Vector, Vectorizer
from nlp_tasks.errors import DocumentError
from nlp_tasks.keywords import stop_words
from nlp_tasks.kind import Document, Result, Setup, Vectors
from nlp_tasks.similarity import SimilarityParameters, VectorRow
from nlp_tasks.similarity.search_runner import Searcher
from nlp_tasks.similarity.shared_terms import COUNT, NUMBER
from nlp_tasks.text import tokens

#: The weight of the tf-idf cosine in a score of `hybrid-embedding`; the rest is the cosine of the vectors.
TFIDF_SHARE = 0.5
#: Words that are shared by texts about anything.
LEFT_OUT = stop_words.ENGLISH | stop_words.KOREAN


class EncoderInferrer:
    """Runner of the stage `infer`."""

    batch_documents = Vectorizer.batch_documents
    batch_chars = Vectorizer.batch_chars

    def __init__(self, setup: Setup) -> None:
        self._vectorizer = Vectorizer(setup, "", "mean")

    def run(self, documents: Sequence[Document]) -> Sequence[Result]:
        """A VectorRow of length 1 for each document; errors as of `Vectorizer`."""
        found = zip(documents, self._vectorizer.vectors(documents), strict=True)
        return [
            each if isinstance(each, DocumentError) else [_row(document, each)] for document, each in found
        ]


def _row(document: Document, found: Vector) -> VectorRow:
    heartbeat.beat()
    unit = found.vector / np.linalg.norm(found.vector)
    counts = Counter(word for word in tokens(document.text) if word not in LEFT_OUT)
    words = json.dumps(counts, ensure_ascii=False, separators=(",", ":")) if counts else ""
    return VectorRow(unit.astype("<f4").tobytes(), words.encode(), scale=None)


class EncoderSearcher(Searcher):
    """Runner of the stage `search`."""

    tfidf_share = TFIDF_SHARE
    #: Short texts have vectors as good as long ones.
    trusted_words = 1

    def __init__(self, setup: Setup) -> None:
        asked: SimilarityParameters = setup.parameters
        is_mixed = asked.method == "hybrid-embedding"
        self._start(
            replace(
                setup,
                parameters=replace(asked, method="hybrid" if is_mixed else "doc2vec"),
                corpus=None if setup.corpus is None else partial(self._numbered, setup.corpus, is_mixed),
                # Frequencies change with the documents, and with them every score.
                earlier=None if is_mixed else setup.earlier,
            )
        )

    def _numbered(self, corpus: Callable[[], Vectors], is_mixed: bool) -> Vectors:
        """The vectors with numbers for their words; the words become those of the search's model."""
        vectors = corpus()
        words = _Words(heartbeat.beating(vectors.terms))
        terms = list(heartbeat.beating(words.packed()))
        size = vectors.matrix.shape[1]
        mean = vectors.matrix.mean(axis=0) if is_mixed and len(vectors.ids) else np.zeros(size, np.float32)
        counts = words.document_counts() if is_mixed else np.zeros(len(words.words), np.int64)
        self._model = _Model(words.words, counts, len(terms) if is_mixed else 0, mean)
        return replace(vectors, terms=terms)


@dataclass(frozen=True)
class _Model:
    """What a search takes of a model."""

    words: list[str]
    #: All 0 where frequencies do not count: every word then has the same weight.
    document_counts: NDArray[np.int64]
    n_documents: int
    #: What vectors have in common, which is subtracted.
    mean: NDArray[np.float32]


class _Words:
    """Numbers of words, in alphabetical order: which of two words comes first does not depend on other documents."""

    def __init__(self, documents: Iterable[bytes]) -> None:
        """`documents`: the words of each, as the store has them."""
        found: dict[str, int] = {}
        #: The words of each document, numbered as they appeared, and their counts.
        self._documents: list[tuple[NDArray[np.int32], NDArray[np.uint16]]] = []
        most = np.iinfo(COUNT).max
        for words in documents:
            counts: dict[str, int] = json.loads(words) if words else {}
            numbers = [found.setdefault(word, len(found)) for word in counts]
            limited = [min(n, most) for n in counts.values()]
            self._documents.append((np.array(numbers, NUMBER), np.array(limited, COUNT)))
        self.words = sorted(found)
        #: From the number of a word as it appeared to its number.
        self._numbers = np.empty(len(found), NUMBER)
        for number, word in enumerate(self.words):
            self._numbers[found[word]] = number

    def packed(self) -> Iterator[bytes]:
        """The words of each document as `shared_terms.Terms` reads them."""
        for appeared, counts in self._documents:
            numbers = self._numbers[appeared]
            order = np.argsort(numbers)
            yield numbers[order].tobytes() + counts[order].tobytes()

    def document_counts(self) -> NDArray[np.int64]:
        """The number of documents with each word  # (V,)."""
        counts = np.zeros(len(self.words), np.int64)
        for appeared, _ in self._documents:
            counts[self._numbers[appeared]] += 1
        return counts
