"""Documents into batches of similar length, and back into their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from nlp_tasks.kind import Document

T = TypeVar("T")


def by_length(
    documents: Sequence[Document],
    max_documents: int,
    max_chars: int,
    limits: Callable[[int, int, int], tuple[int, int]] | None = None,
) -> list[list[Document]]:
    """Batches of at most `max_documents` and, padding counted (every document as long as the batch's longest),
    at most `max_chars`; a longer document stands alone. Longest first, so that memory peaks at the start. `limits`
    changes both numbers by the length of a batch's longest document: limits(length, max_documents, max_chars)."""
    batches: list[list[Document]] = []
    batch: list[Document] = []
    most, most_chars = max_documents, max_chars
    for document in sorted(documents, key=lambda d: len(d.text), reverse=True):
        longest = len(batch[0].text) if batch else 0
        if batch and (len(batch) >= most or longest * (len(batch) + 1) > most_chars):
            batches.append(batch)
            batch = []
        if not batch and limits is not None:
            most, most_chars = limits(len(document.text), max_documents, max_chars)
        batch.append(document)
    return [*batches, batch] if batch else batches


def fill(batch: Sequence[Document], max_documents: int, max_chars: int) -> float:
    """How full a batch is, from 0 to 1: of documents, or of characters with its padding."""
    longest = max((len(document.text) for document in batch), default=0)
    return min(1.0, max(len(batch) / max_documents, longest * len(batch) / max_chars))


def halving(
    run: Callable[[Sequence[Document]], Sequence[T]],
    documents: Sequence[Document],
    blame: Callable[[Document, Exception], T],
    not_theirs: Callable[[Exception], bool],
) -> list[T]:
    """Run a batch; when it raises, run its halves, until the document that raises stands alone and is blamed.
    Returns one value per document, in order. An error that is `not_theirs` (the store's, a model file's) is
    raised on: no document is blamed for it."""
    try:
        results = list(run(documents))
        if len(results) != len(documents):
            raise RuntimeError(f"the runner returned {len(results)} results for {len(documents)} documents")
    except Exception as error:
        if not_theirs(error):
            raise
        if len(documents) == 1:
            return [blame(documents[0], error)]
    else:
        return results
    middle = len(documents) // 2
    return halving(run, documents[:middle], blame, not_theirs) + halving(
        run, documents[middle:], blame, not_theirs
    )
