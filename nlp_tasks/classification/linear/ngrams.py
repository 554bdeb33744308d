"""Hashed n-grams of characters, words and morphemes of a whole batch of texts at once, by numpy over their code points.

Knows no labels and no weights. The hashing trick of Weinberger et al. (2009): an n-gram is known by its
bucket alone, so there is no vocabulary to store and nothing to look up in Python. All texts of a batch are
laid end to end in one array of code points; an n-gram's hash comes from that of the (n-1)-gram at the same
place, so every order costs three array operations for the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.classification.linear.hashing import (
    CHAR_MULTIPLIER,
    SPACE,
    U64,
    WORD_MULTIPLIER,
    bucket,
    code_points,
    slices,
    word_hashes,
    word_spans,
)
from nlp_tasks.text import has_hangul, segmented

#: Tells a morpheme from a word of the same letters.
MORPHEME = np.uint64(0xA5A5A5A5A5A5A5A5)


@dataclass(frozen=True)
class NgramConfig:
    """Which n-grams are features. An order range of (1, 0) means none."""

    chars: tuple[int, int] = (1, 4)
    words: tuple[int, int] = (1, 2)
    #: The number of buckets is 2 ** bits.
    bits: int = 22
    #: A run of one character is cut to this length: "ㅋㅋㅋㅋㅋㅋㅋ" and "ㅋㅋㅋ" say the same.
    longest_run: int = 3
    #: Of texts with some Hangul. They show a stem whatever is fused to it; cutting them takes most of the time.
    morphemes: tuple[int, int] = (1, 0)


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
    return concatenate([_count_slice(part, config) for part in slices(texts)])


def spelled(text: str, config: NgramConfig) -> dict[int, str]:
    """Every n-gram of a text as people read it, by its bucket. A space among characters is written _, which
    tells "_do" from "do"; of n-grams that share a bucket the first one is given."""
    points, owner = read = code_points([text], config.longest_run)
    chars = "".join(map(chr, points.tolist()))
    found: dict[int, str] = {}
    for order, keys in enumerate(_char_keys(points, owner, config), start=max(1, config.chars[0])):
        places = np.flatnonzero(points != SPACE) if order == 1 else np.arange(len(keys))
        for place, key in zip(places.tolist(), keys.tolist(), strict=True):
            found.setdefault(key, chars[place : place + order].replace(" ", "_"))
    for points, owner, orders, salt in _words([text], read, config):
        chars = "".join(map(chr, points.tolist()))
        starts, ends = word_spans(points) if len(points) else (points, points)
        for order, keys in enumerate(_word_keys(points, owner, orders, salt, config.bits), start=orders[0]):
            for place, key in enumerate(keys.tolist()):
                found.setdefault(key, chars[int(starts[place]) : int(ends[place + order - 1])])
    return found


def concatenate(parts: Sequence[Counts]) -> Counts:
    """The rows of all parts, in order."""
    lengths = [np.diff(part.starts) for part in parts]
    starts = np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths]))
    buckets = np.concatenate([np.zeros(0, np.int64), *(part.buckets for part in parts)])
    counts = np.concatenate([np.zeros(0, np.float32), *(part.counts for part in parts)])
    return Counts(starts, buckets, counts)


def _count_slice(texts: Sequence[str], config: NgramConfig) -> Counts:
    points, owner = read = code_points(texts, config.longest_run)
    keys = [*_char_keys(points, owner, config)]
    for points, owner, orders, salt in _words(texts, read, config):
        keys += _word_keys(points, owner, orders, salt, config.bits)
    merged = np.sort(np.concatenate(keys)) if keys else np.zeros(0, np.uint64)
    first = np.flatnonzero(np.concatenate([np.ones(min(1, len(merged)), bool), merged[1:] != merged[:-1]]))
    unique = merged[first]
    counts = np.diff(np.concatenate([first, np.array([len(merged)])])).astype(np.float32)
    rows = (unique >> np.uint64(config.bits)).astype(np.int64)
    starts = np.searchsorted(rows, np.arange(len(texts) + 1))
    return Counts(starts, (unique & np.uint64((1 << config.bits) - 1)).astype(np.int64), counts)


def _words(
    texts: Sequence[str], read: tuple[U64, U64], config: NgramConfig
) -> Iterator[tuple[U64, U64, tuple[int, int], np.uint64]]:
    """Code points and owners of what words are cut from, the orders wanted of these, and what tells their n-grams
    from others of the same letters: the texts themselves, as they were `read`, then those with some Hangul cut into
    morphemes."""
    yield *read, config.words, np.uint64(0)
    if config.morphemes[1] >= 1:
        cut = [segmented(text) if has_hangul(text) else "" for text in heartbeat.beating(texts)]
        yield *code_points(cut, config.longest_run), config.morphemes, MORPHEME


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
            yield (owner[:last][inside] << shift) | bucket(hashes[inside], config.bits)


def _word_keys(points: U64, owner: U64, orders: tuple[int, int], salt: np.uint64, bits: int) -> Iterator[U64]:
    low, high = orders
    if high < 1 or not len(points):
        return
    starts, ends = word_spans(points)
    whose = owner[starts]
    words = word_hashes(points, starts, ends)
    hashes = words
    for order in range(1, min(high, len(words)) + 1):
        if order > 1:
            hashes = hashes[:-1] * WORD_MULTIPLIER + words[order - 1 :]
        if order >= low:
            last = len(words) - order + 1
            inside = whose[:last] == whose[order - 1 :]
            yield (whose[:last][inside] << np.uint64(bits)) | bucket(hashes[inside] ^ salt, bits)
