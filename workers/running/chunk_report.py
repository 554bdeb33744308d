"""What came of a chunk, in words for logs and Flower; never with a document's text."""

from __future__ import annotations


class Failed(str):
    """Words about a chunk of which nothing came but errors, or that was put back because of a fault: Celery counts it
    as a failure, and Flower shows it as one. The store's outcomes do not depend on it."""

    __slots__ = ()
