"""Lists of documents as arrays: packed for the store, trimmed to the best, added up for a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Documents of a list: those with the highest weights, and so many of each of the collections with the most documents.
DEPTH, OF_COLLECTION, COLLECTIONS = 10_000, 2_000, 8

_ENTRY = np.dtype([("document", "<i8"), ("collection", "<i4"), ("weight", "<f4")])
Entries: TypeAlias = NDArray[np.void]


def packed(entries: Sequence[tuple[int, int, float]]) -> Entries:
    """(document, collection, weight) of each, as an array; its bytes are what is stored."""
    return np.array(list(entries), _ENTRY)


def unpacked(stored: bytes) -> Entries:
    """What was stored."""
    return np.frombuffer(stored, _ENTRY)


def with_more(entries: Entries, more: Sequence[tuple[int, int, float]]) -> Entries:
    """The same and more."""
    return np.concatenate([entries, packed(more)])


def only(entries: Entries, documents: Sequence[int]) -> Entries:
    """Those of these documents."""
    return entries[np.isin(entries["document"], documents)]


def trimmed(entries: Entries) -> tuple[Entries, dict[str, float]]:
    """The best entries, each document once; and the lowest weight of each collection of which some were left out."""
    entries = entries[np.argsort(-entries["weight"], kind="stable")]
    entries = entries[np.sort(np.unique(entries["document"], return_index=True)[1])]
    keep = np.zeros(len(entries), bool)
    keep[:DEPTH] = True
    numbers, counts = np.unique(entries["collection"], return_counts=True)
    for number in numbers[np.argsort(-counts, kind="stable")][:COLLECTIONS]:
        keep[np.flatnonzero(entries["collection"] == number)[:OF_COLLECTION]] = True
    kept, left_out = entries[keep], entries[~keep]
    lowest = float(entries["weight"][:DEPTH].min()) if len(left_out) else 0.0
    floors = {}
    for number in np.unique(left_out["collection"]):
        own = kept["weight"][kept["collection"] == number]
        floors[str(number)] = float(own.min()) if len(own) else lowest
    return kept, floors


def best(
    lists: Mapping[str, Entries], idf: Mapping[str, float], collection: int | None, most: int
) -> list[int]:
    """The documents with the highest sums over the lists, the best first, at most so many."""
    if not lists:
        return []
    entries = np.concatenate(list(lists.values()))
    scores = np.concatenate([idf[word] * each["weight"] for word, each in lists.items()])
    if collection is not None:
        own = entries["collection"] == collection
        entries, scores = entries[own], scores[own]
    ids, places = np.unique(entries["document"], return_inverse=True)
    sums = np.bincount(places, scores, len(ids))
    chosen = np.argpartition(-sums, most)[:most] if len(ids) > most else np.arange(len(ids))
    found: list[int] = ids[chosen[np.argsort(-sums[chosen], kind="stable")]].tolist()
    return found
