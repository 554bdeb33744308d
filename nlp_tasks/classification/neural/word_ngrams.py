"""Texts as sequences of words, and words as sets of hashed character n-grams: the input of the neural architectures.

An unknown word still has known n-grams (Bojanowski et al. 2017). Korean needs this, where a stem takes hundreds of
endings. There is no tokenizer to train or to store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.classification.linear.features import blocks
from nlp_tasks.classification.linear.hashing import (
    CHAR_MULTIPLIER,
    U64,
    bucket,
    code_points,
    slices,
    word_hashes,
    word_spans,
)

#: The n-grams of a word have at most this many characters, including its two boundaries.
HIGHEST_ORDER = 4
LONGEST_RUN = 3
BITS = 22
#: Code points that mark the start and the end of a word. No text can contain them.
START, END = 0x110000, 0x110001
#: The id that stands for no n-gram: the padding row of the embedding.
NOTHING = 0


@dataclass(frozen=True)
class WordNgrams:
    """The words of N texts as the ids of their n-grams. Every word has at least one id."""

    text_starts: NDArray[np.int64]  # (N + 1,) into the words
    word_starts: NDArray[np.int64]  # (W + 1,) into the ids
    ids: NDArray[np.int64]  # (nnz,)

    def __len__(self) -> int:
        return len(self.text_starts) - 1


def split(texts: Sequence[str], beat: Callable[[], None]) -> WordNgrams:
    """The words of every text, with buckets as the ids of their n-grams."""
    parts = []
    for part in slices(texts):
        parts.append(_split_slice(part))
        beat()
    return _concatenate(parts)


def spelled(text: str) -> list[str]:
    """The words of a text as strings, split as `split` does."""
    points, _ = code_points([text], LONGEST_RUN)
    chars = "".join(map(chr, points.tolist()))
    starts, ends = word_spans(points) if len(points) else (points, points)
    return [chars[int(start) : int(end)] for start, end in zip(starts, ends, strict=True)]


def learn(units: WordNgrams, most: int, least: int = 2) -> NDArray[np.int64]:
    """The most frequent buckets, in ascending order: at most `most`, each with at least `least` occurrences."""
    frequency = np.zeros(1 << BITS, np.int64)
    for first in heartbeat.beating(range(0, len(units.ids), len(frequency))):
        frequency += np.bincount(units.ids[first : first + len(frequency)], minlength=len(frequency))
    common = np.argsort(-frequency, kind="stable")[:most]
    return np.sort(common[frequency[common] >= least])


def index(units: WordNgrams, buckets: NDArray[np.int64]) -> WordNgrams:
    """The same words with ids from 1 to len(buckets). A word without a known n-gram has the single id NOTHING."""
    id_of = np.zeros(1 << BITS, np.int64)
    id_of[buckets] = np.arange(1, len(buckets) + 1)
    parts = [_known(units, words, id_of) for words in blocks(units.word_starts)]
    sizes = np.concatenate([np.zeros(1, np.int64), *(part[0] for part in parts)])
    ids = np.concatenate([np.zeros(0, np.int64), *(part[1] for part in parts)])
    return WordNgrams(units.text_starts, np.cumsum(sizes), ids)


def _known(
    units: WordNgrams, words: slice, id_of: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of ids of each word in the slice, and the ids."""
    word_starts = units.word_starts[words.start : words.stop + 1]
    ids = id_of[units.ids[word_starts[0] : word_starts[-1]]]
    n_words = len(word_starts) - 1
    word = np.repeat(np.arange(n_words), np.diff(word_starts))
    known = ids != NOTHING
    known_per_word = np.bincount(word[known], minlength=n_words)
    known[word_starts[:-1][known_per_word == 0] - word_starts[0]] = True
    return np.maximum(known_per_word, 1), ids[known]


def _split_slice(texts: Sequence[str]) -> WordNgrams:
    points, owner = code_points(texts, LONGEST_RUN)
    starts, ends = word_spans(points)
    text_starts = np.searchsorted(owner[starts], np.arange(len(texts) + 1))
    if not len(starts):
        return WordNgrams(text_starts, np.zeros(1, np.int64), np.zeros(0, np.int64))
    marked, word = _marked(points, starts, ends)
    keys = np.sort(np.concatenate([*_keys(marked, word), _whole(points, starts, ends)]))
    words = (keys >> np.uint64(BITS)).astype(np.int64)
    ids = (keys & np.uint64((1 << BITS) - 1)).astype(np.int64)
    return WordNgrams(text_starts, np.searchsorted(words, np.arange(len(starts) + 1)), ids)


def _marked(points: U64, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[U64, U64]:
    """All words concatenated, each between START and END; and the index of the word of each character."""
    lengths = ends - starts + 2
    offsets = np.cumsum(lengths) - lengths
    place = np.arange(int(lengths.sum())) - np.repeat(offsets, lengths)
    marked = points[np.clip(np.repeat(starts - 1, lengths) + place, 0, len(points) - 1)]
    marked[offsets] = START
    marked[offsets + lengths - 1] = END
    return marked, np.repeat(np.arange(len(starts), dtype=np.uint64), lengths)


def _keys(marked: U64, word: U64) -> list[U64]:
    hashes = marked + np.uint64(1)
    keys = []
    for order in range(1, min(HIGHEST_ORDER, len(marked)) + 1):
        if order > 1:
            hashes = hashes[:-1] * CHAR_MULTIPLIER + marked[order - 1 :]
        last = len(marked) - order + 1
        inside = word[:last] == word[order - 1 :] if order > 1 else marked < START
        keys.append((word[:last][inside] << np.uint64(BITS)) | bucket(hashes[inside], BITS))
    return keys


def _whole(points: U64, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> U64:
    words = np.arange(len(starts), dtype=np.uint64)
    return (words << np.uint64(BITS)) | bucket(word_hashes(points, starts, ends), BITS)


def _concatenate(parts: Sequence[WordNgrams]) -> WordNgrams:
    zero = np.zeros(1, np.int64)
    words = np.concatenate([zero, *(np.diff(part.text_starts) for part in parts)])
    ids = np.concatenate([zero, *(np.diff(part.word_starts) for part in parts)])
    return WordNgrams(
        np.cumsum(words), np.cumsum(ids), np.concatenate([zero[:0], *(part.ids for part in parts)])
    )
