"""Which documents are held out: decided by a hash of the key, stratified by label.

The hash depends neither on the seed nor on other documents. So a document stays in its part when the collection grows,
and models that were trained on different days can be compared on the same held-out documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from nlp_tasks import heartbeat


def held_out(keys: Sequence[str], labels: Sequence[str], share: float, salt: str = "held-out") -> list[bool]:
    """Whether each document is held out: about `share` of every label, at least 1 document and never all.

    The document of a label with a single document is kept for training.
    """
    order = sorted(range(len(keys)), key=lambda index: (labels[index], _rank(keys[index], salt), index))
    chosen = [False] * len(keys)
    for group in _groups(order, labels):
        taken = [index for index in group if _rank(keys[index], salt) < share] or group[:1]
        for index in taken[: len(group) - 1]:
            chosen[index] = True
    return chosen


def _rank(key: str, salt: str) -> float:
    heartbeat.beat()
    digest = hashlib.blake2b(f"{salt}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _groups(order: list[int], labels: Sequence[str]) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for index in order:
        groups.setdefault(labels[index], []).append(index)
    return list(groups.values())
