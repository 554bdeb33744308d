"""The words nearest to others by the cosine of their vectors, and analogies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks.word_vectors.model import Model
from nlp_tasks.word_vectors.spelling import alike
from readers.normalization import nfc

#: Suggestions for an unknown word.
SUGGESTIONS = 5


@dataclass(frozen=True, slots=True)
class NearWord:
    """A word near to what was asked for."""

    rank: int
    word: str
    #: The cosine, from -1 to 1.
    score: float
    #: How often it occurs in the texts of the model.
    count: int


def nearest(model: Model, words: Sequence[str], n: int) -> list[NearWord]:
    """The words nearest to the mean direction of some words, without themselves. ValueError for an unknown word."""
    found = [known(model, word) for word in words]
    query = np.sum([_direction(model, rows) for rows in found], axis=0)
    return _nearest(model, query, {row for rows in found for row in rows}, n)


def analogy(model: Model, a: str, b: str, c: str, n: int) -> list[NearWord]:
    """The words that are to c as b is to a, nearest to b - a + c (Mikolov et al. 2013), without these three. ValueError
    for an unknown word."""
    found = [known(model, word) for word in (a, b, c)]
    of_a, of_b, of_c = (_direction(model, rows) for rows in found)
    return _nearest(model, of_b - of_a + of_c, {row for rows in found for row in rows}, n)


def known(model: Model, word: str) -> list[int]:
    """The rows of a word: its own, or those of the units that it consists of. ValueError, with words that are spelled
    alike, if the model has none of them."""
    word = nfc(word)  # as texts are in the store
    if word in model.numbers:
        return [model.numbers[word]]
    cut = model.units.cut_query(word)
    if cut and all(unit in model.numbers for unit in cut):
        return [model.numbers[unit] for unit in cut]
    close = alike(word, model.words, SUGGESTIONS)
    hint = f"words that are spelled alike are {', '.join(close)}" if close else "no word is spelled alike"
    raise ValueError(
        f"the model does not know {word!r}: it has words that occur at least {model.parameters.min_count} times in "
        f"its texts; {hint}"
    )


def _direction(model: Model, rows: Sequence[int]) -> NDArray[np.float32]:
    """The direction of the mean of some words  # (D,)."""
    mean = model.unit_vectors[list(rows)].mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)


def _nearest(model: Model, query: NDArray[np.float32], left_out: set[int], n: int) -> list[NearWord]:
    scores = model.unit_vectors @ (query / max(float(np.linalg.norm(query)), 1e-12))  # (V,)
    # Ties in the order of the words, from frequent to rare.
    order = np.argsort(-scores, kind="stable")[: n + len(left_out)].tolist()
    rows = [row for row in order if row not in left_out][:n]
    return [
        NearWord(rank, model.words[row], float(scores[row]), int(model.counts[row]))
        for rank, row in enumerate(rows, 1)
    ]
