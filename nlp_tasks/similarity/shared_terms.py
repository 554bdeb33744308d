"""Documents as tf-idf vectors, with the document counts of a model version; and the words that two documents share.

Term vectors have length 1, so that the product of two is their tf-idf cosine, and a sum over the words they share.
Weights are multiples of 2^-24: products of two and sums of products are exact in float64, in any order.
Words that the model does not know have no weight. Memory: 8 bytes for each distinct word of each document.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.similarity.word_counts import WordCounts

#: The weight of a word grows with this power of its count: 1 is best for statutes, the logarithm for short articles
#: (docs/similarity.md).
COUNT_POWER = 0.7
#: The weight of the tf-idf cosine in a hybrid score of documents of at least TRUSTED_WORDS different words; the rest is
#: Doc2Vec. The vector of a shorter document has less weight: it was inferred from little.
TFIDF_SHARE = 0.8
TRUSTED_WORDS = 50
#: Distances of a document are multiplied by at most this, and at least its inverse (nlp_tasks.similarity.hubness).
MOST_SCALE = 2**0.5
#: Documents whose weights are computed at a time.
WEIGHED_TOGETHER = 10_000
#: Documents that are compared with others at a time: a number for each word of the model is kept for each.
ROWS_TOGETHER = 16
#: Words of the others that are looked at together, or those of one document more: about 40 bytes for each.
WORDS_TOGETHER = 2**20
#: The weights are multiples of 1 over this.
STEPS = np.float32(2**24)
#: The packed form of a document's words: numbers, then counts, limited to the largest value of their type.
NUMBER, COUNT = np.dtype("<i4"), np.dtype("<u2")


def idf(document_counts: NDArray[np.int64], n_documents: int) -> NDArray[np.float32]:
    """The inverse document frequency of words, from the number of documents that contain them, as in scikit-learn
    # (V,)."""
    return (np.log((1 + n_documents) / (1 + document_counts)) + 1).astype(np.float32)


def packed(words: WordCounts) -> list[bytes]:
    """The known words of each document and their counts as bytes, for the store."""
    numbers = words.numbers.astype(NUMBER)
    counts = np.minimum(words.counts, np.iinfo(COUNT).max).astype(COUNT)
    bounds = zip(words.starts[:-1].tolist(), words.starts[1:].tolist(), strict=True)
    return [numbers[start:stop].tobytes() + counts[start:stop].tobytes() for start, stop in bounds]


class Terms:
    """The term vectors of N documents."""

    def __init__(
        self, documents: Sequence[bytes], idf: NDArray[np.float32], trusted_words: int = TRUSTED_WORDS
    ) -> None:
        """`documents` as `packed` makes them. The vectors of those with fewer different words than `trusted_words` have
        less weight."""
        size = NUMBER.itemsize + COUNT.itemsize
        lengths = np.fromiter((len(each) // size for each in documents), np.int64, count=len(documents))
        #: The number of different words of each document.
        self.n_words = lengths  # (N,)
        self._starts = np.concatenate([[0], np.cumsum(lengths)])  # (N + 1,)
        #: For each document, how much of its weight its vector keeps: the product of two of them is that of a pair.
        self.trusts = np.sqrt(np.minimum(lengths / trusted_words, 1.0))  # (N,)
        self._numbers = np.empty(self._starts[-1], np.int32)
        self._weights = np.empty(self._starts[-1], np.float32)
        for row, document in enumerate(documents):
            part = slice(self._starts[row], self._starts[row + 1])
            self._numbers[part] = np.frombuffer(document, NUMBER, lengths[row])
            self._weights[part] = np.frombuffer(document, COUNT, offset=int(lengths[row]) * NUMBER.itemsize)
        self._weigh(idf)
        #: The weights of some documents by word; 0 between calls.
        self._weights_of = np.zeros((ROWS_TOGETHER, len(idf)), np.float32)

    def _weigh(self, idf: NDArray[np.float32]) -> None:
        """Counts to weights, some documents at a time, to bound the memory of intermediate results."""
        for first in range(0, len(self._starts) - 1, WEIGHED_TOGETHER):
            starts = self._starts[first : first + WEIGHED_TOGETHER + 1]
            weights = self._weights[starts[0] : starts[-1]]
            np.power(weights, COUNT_POWER, out=weights)
            weights *= idf[self._numbers[starts[0] : starts[-1]]]
            squares = np.append(np.square(weights, dtype=np.float64), 0.0)
            norms = np.sqrt(np.add.reduceat(squares, starts[:-1] - starts[0]))
            with np.errstate(divide="ignore"):  # documents without words have length 0
                weights *= np.repeat((1 / norms).astype(np.float32), np.diff(starts))
            weights *= STEPS
            np.rint(weights, out=weights)
            weights /= STEPS

    def document_counts(self) -> NDArray[np.int64]:
        """The number of these documents that contain each word  # (V,)."""
        return np.bincount(self._numbers, minlength=self._weights_of.shape[1])

    def cosines(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
        """tf-idf cosines of each of `rows` with each of its others, exact  # (Q,), (Q, C) -> (Q, C)."""
        found = np.zeros(others.shape)
        for first in range(0, len(rows), ROWS_TOGETHER):
            part = slice(first, first + ROWS_TOGETHER)
            pairs, those = np.repeat(rows[part], others.shape[1]), others[part].ravel()
            # Before each pair, how many words there are.
            sizes = np.cumsum(self.n_words[those]) - self.n_words[those]
            begin = np.flatnonzero(np.diff(sizes // WORDS_TOGETHER, prepend=-1)).tolist()
            for start, stop in pairwise([*begin, len(those)]):
                found[part].reshape(-1)[start:stop] = self._sums(pairs[start:stop], those[start:stop])
        return found

    def _sums(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
        """The cosine of each pair of one of `rows`, at most ROWS_TOGETHER different ones, and one of `others`."""
        _, products, starts = self._products(rows, others)
        sums = np.add.reduceat(np.append(products, 0.0), starts[:-1])
        return np.where(np.diff(starts) > 0, sums, 0.0)

    def of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """The weights of some documents, one after the other: where each begins, numbers of words, weights
        # (R + 1,), (P,), (P,)."""
        flat, starts = self._flat(rows)
        return starts, self._numbers[flat], self._weights[flat]

    def _flat(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The places of all words of some documents, and where each document begins  # (P,), (R + 1,)."""
        lengths = self._starts[rows + 1] - self._starts[rows]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return np.arange(starts[-1]) + np.repeat(self._starts[rows] - starts[:-1], lengths), starts

    def shared(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], n: int
    ) -> list[list[tuple[int, float]]]:
        """For each pair of one of `rows` and one of `others`, the n words with the largest share of the cosine, in
        descending order, ties in the order of the model's words: (number of the word, its share)."""
        found: list[list[tuple[int, float]]] = []
        distinct = np.flatnonzero(np.diff(rows, prepend=-1))  # where the next row begins
        for first in range(0, len(distinct), ROWS_TOGETHER):
            last = distinct[first + ROWS_TOGETHER] if first + ROWS_TOGETHER < len(distinct) else len(rows)
            part = slice(distinct[first], last)
            found += self._shared(rows[part], others[part], n)
        return found

    def _shared(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], n: int
    ) -> list[list[tuple[int, float]]]:
        flat, products, starts = self._products(rows, others)
        common = np.flatnonzero(products)
        which = np.searchsorted(starts, common, side="right") - 1  # of the pairs
        order = np.lexsort((-products[common], which))
        common, which = common[order], which[order]
        place = np.arange(len(which)) - np.searchsorted(which, which)
        best = place < n
        found: list[list[tuple[int, float]]] = [[] for _ in others]
        chosen = common[best]
        numbers, weights = self._numbers[flat[chosen]].tolist(), products[chosen].tolist()
        for pair, number, weight in zip(which[best].tolist(), numbers, weights, strict=True):
            found[pair].append((number, weight))
        return found

    def _products(
        self, rows: NDArray[np.int64], others: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """For all words of the other document of each pair, concatenated: their places, the products of both weights;
        and the start of each pair  # (P,), (P,), (O + 1,)."""
        flat, starts = self._flat(others)
        lengths = np.diff(starts)
        distinct, line = np.unique(rows, return_inverse=True)
        own = [slice(self._starts[row], self._starts[row + 1]) for row in distinct.tolist()]
        for weights, part in zip(self._weights_of, own, strict=False):
            weights[self._numbers[part]] = self._weights[part]
        weights_of = self._weights_of[np.repeat(line, lengths), self._numbers[flat]]
        products = np.multiply(weights_of, self._weights[flat], dtype=np.float64)
        for weights, part in zip(self._weights_of, own, strict=False):
            weights[self._numbers[part]] = 0
        return flat, products, starts
