"""The report on a chunk, for logs and Flower. It never holds a document's text."""

from __future__ import annotations


class Failed(str):
    """The report on a chunk that has only errors, or that was put back because of a fault. Celery counts the message as
    failed, and Flower shows it so. The outcomes in the store do not depend on it."""

    __slots__ = ()


class Refused(str):
    """The store lets this worker claim nothing, or not this chunk: it is drained, or too old."""

    __slots__ = ()
