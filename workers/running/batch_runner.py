"""Running documents in batches: a document that fails alone is blamed. If memory runs out, other models leave it first,
and then batches become smaller."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from db.chunks import Claim
from nlp_tasks import memory_pressure
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Runner
from workers import tracing
from workers.processes import log_context
from workers.processes.process import Process
from workers.running import batches, faults, learning

log = logging.getLogger("docmill.worker")


class _TooLargeError(MemoryError):
    """A batch of this size and length ran out of memory before."""


class BatchRunner:
    """The runner of one claim."""

    def __init__(self, process: Process, claim: Claim, runner: Runner, stage: str = "") -> None:
        self._learning = learning.of(process, claim, stage or str(claim.stage))
        self._metrics = process.metrics
        self._kind = claim.kind
        self._n_halvings = claim.n_halvings
        self._runner = runner
        self._asked = (runner.batch_documents, runner.batch_chars)

    def batches(self, block: Sequence[Document]) -> list[list[Document]]:
        """The documents in batches of similar length, as large as was found to fit and to pay."""
        return batches.by_length(block, *self._asked, limits=self._limits)

    def run(self, batch: Sequence[Document]) -> list[tuple[Document, Result]]:
        """The result of each document. Raises what is not the documents' fault."""
        longest = max((len(document.text) for document in batch), default=0)
        fill = batches.fill(batch, *self._limits(longest, *self._asked))
        self._metrics.observe("docmill_worker_batch_fill_ratio", self._kind, value=fill)
        began = time.monotonic()
        with tracing.span("batch", documents=len(batch)):
            found = batches.halving(self._run, batch, _blame, faults.is_not_the_documents)
        self._metrics.observe("docmill_worker_batch_seconds", self._kind, value=time.monotonic() - began)
        return list(zip(batch, found, strict=True))

    def remember(self) -> None:
        """Keep what was learnt about batches, for other workers and later ones."""
        self._learning.remember()

    def _limits(self, longest: int, documents: int, chars: int) -> tuple[int, int]:
        most, most_chars = self._learning.sizes.limits(longest, documents, chars)
        return max(1, most >> self._n_halvings), most_chars

    def _run(self, batch: Sequence[Document]) -> Sequence[Result]:
        """Run a batch. If memory does not suffice, it is run again as long as other models can leave; then later
        batches are at most half as large, the rest of this one too."""
        if len(batch) > self._limits(max(len(document.text) for document in batch), *self._asked)[0]:
            raise _TooLargeError
        while True:
            started = time.monotonic()
            try:
                results = self._runner.run(batch)
            except Exception as error:
                if not faults.is_out_of_memory(error):
                    raise
                failed = error.with_traceback(None)
            else:
                self._note(batch, time.monotonic() - started)
                return results
            # The exception's frames held what the batch had allocated.
            if memory_pressure.relieve():
                log.warning("out of memory with %d documents: a model that is not in use leaves", len(batch))
                continue
            self._note_failure(batch)
            raise failed

    def _note(self, batch: Sequence[Document], seconds: float) -> None:
        longest, n_chars = max(len(d.text) for d in batch), sum(len(d.text) for d in batch)
        self._learning.sizes.ran(longest, len(batch), n_chars, seconds, *self._asked)

    def _note_failure(self, batch: Sequence[Document]) -> None:
        if len(batch) < 2:
            return
        longest = max(len(document.text) for document in batch)
        self._metrics.count("docmill_worker_out_of_memory_total", self._kind)
        limit = self._learning.sizes.ran_out(longest, len(batch), self._asked[0])
        # Kept at once: the next one may end this process.
        self._learning.remember()
        log.warning("out of memory with %d documents: at most %d at a time from now on", len(batch), limit)


def _blame(document: Document, error: Exception) -> DocumentError:
    blamed = faults.as_document_error(error)
    if blamed is not error:
        with log_context.about(document=document.id):
            log.warning("document %d: %s", document.id, faults.where(error))
    return blamed
