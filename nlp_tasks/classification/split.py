"""Which documents are held out: decided by a hash of the document's key, label by label.

The hash does not depend on the seed or on the other documents, so a document stays on its side when the
collection grows and models trained on different days can be compared on the same held-out documents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from nlp_tasks import heartbeat


def held_out(keys: Sequence[str], labels: Sequence[str], share: float, salt: str = "held-out") -> list[bool]:
    """For each document whether it is held out: of every label about `share`, at least 1 and never all.

    A label with a single document keeps it for training.
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
