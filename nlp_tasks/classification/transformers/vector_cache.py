"""Vectors of texts that one process has already made, by encoder: for trainings on much the same documents, and for
gates, which label the same texts with two models of one encoder.

The oldest vectors leave when there are too many. Knows hashes of texts, not texts.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Bytes of vectors that are kept for one encoder, and encoders for which some are kept.
MOST_BYTES, MOST_ENCODERS = 256_000_000, 2


class Cache:
    """The vectors of one encoder."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._most = max(1, MOST_BYTES // (4 * dimensions))
        self._kept: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        #: Those of the texts that were asked for last, which `get` returns even if they are too many to be kept.
        self._wanted: dict[bytes, NDArray[np.float32]] = {}

    def missing(self, texts: Sequence[str]) -> list[str]:
        """The texts whose vectors are not there, each once."""
        hashes = {_hash(text): text for text in texts}
        self._wanted = {each: self._kept[each] for each in hashes if each in self._kept}
        return [text for each, text in hashes.items() if each not in self._kept]

    def put(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Remember the vectors (N, D) of texts."""
        for text, vector in zip(texts, vectors, strict=True):
            self._kept[_hash(text)] = self._wanted[_hash(text)] = vector
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def get(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors (N, D) of texts for which `missing` was called, and whose vectors were put since."""
        found = np.zeros((len(texts), self._dimensions), np.float32)
        for row, text in enumerate(texts):
            found[row] = self._wanted[_hash(text)]
        self._wanted = {}
        return found


_caches: OrderedDict[tuple[str, int], Cache] = OrderedDict()


def of(digest: str, dimensions: int) -> Cache:
    """The cache of the encoder with this digest, in this process."""
    key = (digest, dimensions)
    if key not in _caches:
        _caches[key] = Cache(dimensions)
        while len(_caches) > MOST_ENCODERS:
            _caches.popitem(last=False)
    _caches.move_to_end(key)
    return _caches[key]


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
