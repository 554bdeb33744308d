"""Texts as numbers: code points, words and their hashes, for a whole batch at once.

The texts of a batch are concatenated into one array, each with a space before and after, so that no n-gram spans two
texts. Knows nothing of which n-grams are wanted.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

U64: TypeAlias = NDArray[np.uint64]

#: Odd constants spread a hash over 64 bits; the top bits, which every input bit reaches, choose the bucket.
CHAR_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
WORD_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)
MIX_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
#: Characters hashed at a time: larger slices do not fit into the processor's cache.
SLICE_CHARS = 150_000
SPACE = 32


def slices(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts in order, in slices of about SLICE_CHARS characters; a longer text is a slice of its own."""
    first, chars = 0, 0
    for index, text in enumerate(texts):
        if chars and chars + len(text) > SLICE_CHARS:
            yield texts[first:index]
            first, chars = index, 0
        chars += len(text)
    if first < len(texts):
        yield texts[first:]


def code_points(texts: Sequence[str], longest_run: int) -> tuple[U64, U64]:
    """Code points of the lower-cased texts, each with a space before and after, and the index of the text of each."""
    cleaned = [f" {' '.join(words)} " if (words := text.lower().split()) else "" for text in texts]
    encoded = "".join(cleaned).encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(encoded, np.uint32).astype(np.uint64)
    lengths = np.fromiter(map(len, cleaned), np.int64, len(cleaned))
    owner = np.repeat(np.arange(len(cleaned), dtype=np.uint64), lengths)
    keep = ~_repeated(points, longest_run)
    return points[keep], owner[keep]


def _repeated(points: U64, longest_run: int) -> NDArray[np.bool_]:
    """The places of characters that are equal to the `longest_run` characters before them. Never a space: spaces
    separate the texts."""
    repeated: NDArray[np.bool_] = points != SPACE
    for back in range(1, longest_run + 1):
        repeated[back:] &= points[back:] == points[:-back]
        repeated[:back] = False
    return repeated


def word_spans(points: U64) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends of words: runs of letters and digits, and every other visible character by itself."""
    visible = points != SPACE
    letter = _is_letter()[points]
    joined = letter[1:] & letter[:-1]
    starts = visible & ~np.concatenate([[False], joined])
    ends = visible & ~np.concatenate([joined, [False]])
    return np.flatnonzero(starts), np.flatnonzero(ends) + 1


@cache
def _is_letter() -> NDArray[np.bool_]:
    """For every code point of Unicode whether it is a letter or a digit."""
    everything = np.arange(sys.maxunicode + 1, dtype=np.uint32).tobytes().decode("utf-32-le", "surrogatepass")
    table = np.zeros(len(everything), np.bool_)
    for run in re.finditer(r"[^\W_]+", everything):
        table[run.start() : run.end()] = True
    return table


def word_hashes(points: U64, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> U64:
    """One hash per word: a polynomial of its code points."""
    lengths = ends - starts
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    powers = np.cumprod(np.full(int(lengths.max()), WORD_MULTIPLIER), dtype=np.uint64)
    terms = points[np.repeat(starts, lengths) + place] * powers[place]
    sums: U64 = np.add.reduceat(terms, offsets[:-1]) ^ WORD_MULTIPLIER
    return sums


def bucket(hashes: U64, bits: int) -> U64:
    """The bucket, from 0 to 2 ** bits - 1, of each hash."""
    mixed = (hashes ^ (hashes >> np.uint64(31))) * MIX_MULTIPLIER
    buckets: U64 = mixed >> np.uint64(64 - bits)
    return buckets
