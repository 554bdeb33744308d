"""Hashed word and character n-grams of a whole batch of texts at once, by numpy over their code points.

Knows no labels and no weights. The hashing trick of Weinberger et al. (2009): an n-gram is known by its
bucket alone, so there is no vocabulary to store and nothing to look up in Python. All texts of a batch are
laid end to end in one array of code points; an n-gram's hash comes from that of the (n-1)-gram at the same
place, so every order costs three array operations for the whole batch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

U64: TypeAlias = NDArray[np.uint64]

#: Odd constants spread a hash over 64 bits; the top bits, which every input bit reaches, choose the bucket.
CHAR_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
WORD_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)
MIX_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
#: So many characters are hashed together: larger slices fall out of the processor's cache.
SLICE_CHARS = 150_000
SPACE = 32


@dataclass(frozen=True)
class NgramConfig:
    """Which n-grams are features. An order range of (1, 0) means none."""

    chars: tuple[int, int] = (1, 5)
    words: tuple[int, int] = (1, 2)
    #: The number of buckets is 2 ** bits.
    bits: int = 22
    #: A run of one character is cut to this length: "ㅋㅋㅋㅋㅋㅋㅋ" and "ㅋㅋㅋ" say the same.
    longest_run: int = 3


@dataclass(frozen=True)
class Counts:
    """How often each bucket occurs in each text, by rows in compressed form (CSR), buckets ascending."""

    starts: NDArray[np.int64]  # (N + 1,)
    buckets: NDArray[np.int64]  # (nnz,)
    counts: NDArray[np.float32]  # (nnz,)

    def __len__(self) -> int:
        return len(self.starts) - 1


def count(texts: Sequence[str], config: NgramConfig) -> Counts:
    """The n-gram counts of every text, in order. A text without a letter has few or none."""
    return concatenate([_count_slice(part, config) for part in _slices(texts)])


def concatenate(parts: Sequence[Counts]) -> Counts:
    """The rows of all parts, in order."""
    lengths = [np.diff(part.starts) for part in parts]
    starts = np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths]))
    buckets = np.concatenate([np.zeros(0, np.int64), *(part.buckets for part in parts)])
    counts = np.concatenate([np.zeros(0, np.float32), *(part.counts for part in parts)])
    return Counts(starts, buckets, counts)


def _slices(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    first, chars = 0, 0
    for index, text in enumerate(texts):
        if chars and chars + len(text) > SLICE_CHARS:
            yield texts[first:index]
            first, chars = index, 0
        chars += len(text)
    if first < len(texts):
        yield texts[first:]


def _count_slice(texts: Sequence[str], config: NgramConfig) -> Counts:
    points, owner = _code_points(texts, config.longest_run)
    keys = [*_char_keys(points, owner, config), *_word_keys(points, owner, config)]
    merged = np.sort(np.concatenate(keys)) if keys else np.zeros(0, np.uint64)
    first = np.flatnonzero(np.concatenate([np.ones(min(1, len(merged)), bool), merged[1:] != merged[:-1]]))
    unique = merged[first]
    counts = np.diff(np.concatenate([first, np.array([len(merged)])])).astype(np.float32)
    rows = (unique >> np.uint64(config.bits)).astype(np.int64)
    starts = np.searchsorted(rows, np.arange(len(texts) + 1))
    return Counts(starts, (unique & np.uint64((1 << config.bits) - 1)).astype(np.int64), counts)


def _code_points(texts: Sequence[str], longest_run: int) -> tuple[U64, U64]:
    """Code points of the lower-cased texts, each with one space before and after, and whose text each is."""
    cleaned = [f" {' '.join(words)} " if (words := text.lower().split()) else "" for text in texts]
    encoded = "".join(cleaned).encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(encoded, np.uint32).astype(np.uint64)
    lengths = np.fromiter(map(len, cleaned), np.int64, len(cleaned))
    owner = np.repeat(np.arange(len(cleaned), dtype=np.uint64), lengths)
    keep = ~_repeated(points, longest_run)
    return points[keep], owner[keep]


def _repeated(points: U64, longest_run: int) -> NDArray[np.bool_]:
    """Where a character stands that the `longest_run` before it equal. Spaces part texts: they all stay."""
    repeated: NDArray[np.bool_] = points != SPACE
    for back in range(1, longest_run + 1):
        repeated[back:] &= points[back:] == points[:-back]
        repeated[:back] = False
    return repeated


def _char_keys(points: U64, owner: U64, config: NgramConfig) -> Iterator[U64]:
    low, high = config.chars
    if high < 1:
        return
    shift = np.uint64(config.bits)
    hashes = points + np.uint64(1)
    for order in range(1, min(high, len(points)) + 1):
        if order > 1:
            hashes = hashes[:-1] * CHAR_MULTIPLIER + points[order - 1 :]
        if order >= low:
            last = len(points) - order + 1
            inside = owner[:last] == owner[order - 1 :]
            if order == 1:
                inside &= points != SPACE
            yield (owner[:last][inside] << shift) | _bucket(hashes[inside], config.bits)


def _word_keys(points: U64, owner: U64, config: NgramConfig) -> Iterator[U64]:
    low, high = config.words
    if high < 1 or not len(points):
        return
    starts, ends = _words(points)
    whose = owner[starts]
    words = _word_hashes(points, starts, ends)
    hashes = words
    for order in range(1, min(high, len(words)) + 1):
        if order > 1:
            hashes = hashes[:-1] * WORD_MULTIPLIER + words[order - 1 :]
        if order >= low:
            last = len(words) - order + 1
            inside = whose[:last] == whose[order - 1 :]
            yield (whose[:last][inside] << np.uint64(config.bits)) | _bucket(hashes[inside], config.bits)


def _words(points: U64) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where words start and end: runs of letters and digits, and every other visible character by itself."""
    visible = points != SPACE
    letter = _is_letter()[points]
    joined = letter[1:] & letter[:-1]
    starts = visible & ~np.concatenate([[False], joined])
    ends = visible & ~np.concatenate([joined, [False]])
    return np.flatnonzero(starts), np.flatnonzero(ends) + 1


@cache
def _is_letter() -> NDArray[np.bool_]:
    """For every code point of Unicode whether it is a letter or a digit."""
    return np.fromiter((chr(point).isalnum() for point in range(sys.maxunicode + 1)), np.bool_)


def _word_hashes(points: U64, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> U64:
    """One hash per word: the sum of its code points times powers of a constant by their place in the word."""
    lengths = ends - starts
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    powers = np.cumprod(np.full(int(lengths.max()), WORD_MULTIPLIER), dtype=np.uint64)
    terms = points[np.repeat(starts, lengths) + place] * powers[place]
    sums: U64 = np.add.reduceat(terms, offsets[:-1]) ^ WORD_MULTIPLIER
    return sums


def _bucket(hashes: U64, bits: int) -> U64:
    mixed = (hashes ^ (hashes >> np.uint64(31))) * MIX_MULTIPLIER
    buckets: U64 = mixed >> np.uint64(64 - bits)
    return buckets
