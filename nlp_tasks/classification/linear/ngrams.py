"""Hashed n-grams of characters, words and morphemes of a whole batch of texts, computed by numpy from code points.

Knows neither labels nor weights. Uses the hashing trick of Weinberger et al. (2009): an n-gram is identified by its
bucket, so there is no vocabulary to store or to look up. The texts of a batch are concatenated into one array of code
points. The hash of an n-gram is computed from that of the (n-1)-gram at the same place, so that each order takes three
array operations for the whole batch.
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

#: Distinguishes a morpheme from a word of the same letters.
MORPHEME = np.uint64(0xA5A5A5A5A5A5A5A5)


@dataclass(frozen=True)
class NgramConfig:
    """Which n-grams are features. An order range of (1, 0) means none."""

    chars: tuple[int, int] = (1, 4)
    words: tuple[int, int] = (1, 2)
    #: The number of buckets is 2 ** bits.
    bits: int = 22
    #: Longer runs of one character are shortened to this length: "ㅋㅋㅋㅋㅋㅋㅋ" means the same as "ㅋㅋㅋ".
    longest_run: int = 3
    #: For texts with Hangul. They separate a stem from its endings; the analysis takes most of the time.
    morphemes: tuple[int, int] = (1, 0)


@dataclass(frozen=True)
class Counts:
    """How often each bucket occurs in each text, as compressed sparse rows (CSR) with ascending buckets."""

    starts: NDArray[np.int64]  # (N + 1,)
    buckets: NDArray[np.int64]  # (nnz,)
    counts: NDArray[np.float32]  # (nnz,)

    def __len__(self) -> int:
        return len(self.starts) - 1


def count(texts: Sequence[str], config: NgramConfig) -> Counts:
    """The n-gram counts of every text, in order. A text without letters has few or none."""
    return concatenate([_count_slice(part, config) for part in slices(texts)])


@dataclass(frozen=True)
class Places:
    """Where the n-grams of one text are, counted in its visible characters."""

    buckets: NDArray[np.int64]  # (M,)
    starts: NDArray[np.int64]  # (M,)
    ends: NDArray[np.int64]  # (M,)


def places(text: str, config: NgramConfig) -> tuple[str, Places]:
    """A text as the n-grams see it (in lower case, with single spaces), and every occurrence of an n-gram in it."""
    points, owner = read = code_points([text], config.longest_run)
    before = _visible_before(points)
    found = []
    for order, keys in enumerate(_char_keys(points, owner, config), start=max(1, config.chars[0])):
        at = np.flatnonzero(points != SPACE) if order == 1 else np.arange(len(keys))
        found.append((keys.astype(np.int64), before[at], before[at + order]))
    for source, owner, orders, salt in _words([text], read, config):
        starts, ends = word_spans(source) if len(source) else (np.zeros(0, np.int64), np.zeros(0, np.int64))
        before = _visible_before(source)
        place = _places_of(source[source != SPACE], points[points != SPACE])
        for order, keys in enumerate(_word_keys(source, owner, orders, salt, config.bits), start=orders[0]):
            first, last = starts[: len(keys)], ends[order - 1 : order - 1 + len(keys)]
            found.append((keys.astype(np.int64), place[before[first]], place[before[last] - 1] + 1))
    empty = np.zeros(0, np.int64)
    columns = [np.concatenate([empty, *(each[i] for each in found)]) for i in range(3)]
    return "".join(map(chr, points.tolist())), Places(*columns)


def _places_of(source: U64, points: U64) -> NDArray[np.int64]:
    """For each visible character of `source`, its place in `points`  # (S,). Both are the same text; runs of a
    character may be shortened at different places, because one is split into morphemes."""
    starts, wanted = _runs(source), _runs(points)
    run = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    within = np.arange(len(source)) - starts[run]
    places: NDArray[np.int64] = wanted[run] + np.minimum(within, np.diff(wanted)[run] - 1)
    return places


def _runs(points: U64) -> NDArray[np.int64]:
    """Where each run of one character begins, and the end of the last."""
    first = np.flatnonzero(points[1:] != points[:-1]) + 1
    return np.concatenate([np.zeros(min(1, len(points)), np.int64), first, np.array([len(points)])])


def _visible_before(points: U64) -> NDArray[np.int64]:
    """The number of visible characters before each place, and before the end."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(points != SPACE)])


def concatenate(parts: Sequence[Counts]) -> Counts:
    """The rows of all parts, in order, as one."""
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
    """The sources of word n-grams: code points, the text of each, the orders wanted, and a salt for the hashes. First
    the texts themselves, as they were `read`; then the texts with Hangul, split into morphemes."""
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
