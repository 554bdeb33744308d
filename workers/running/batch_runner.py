"""Running documents in batches: a document that fails alone is blamed, and a lack of memory makes batches smaller."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from db.chunks import Claim
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Result, Runner
from workers import tracing
from workers.processes import log_context
from workers.processes.process import Process
from workers.running import batches, faults

log = logging.getLogger("docmill.worker")


class BatchRunner:
    """The runner of one claim."""

    def __init__(self, process: Process, claim: Claim, runner: Runner) -> None:
        self._limits = process.batch_limits
        self._metrics = process.metrics
        self._limit = 1
        self._key = (claim.kind, claim.stage)
        self._n_halvings = claim.n_halvings
        self._runner = runner

    def batches(self, block: Sequence[Document]) -> list[list[Document]]:
        """The documents in batches of similar length, as large as the memory was found to allow."""
        most = self._runner.batch_documents
        self._limit = max(1, min(self._limits.get(self._key, most), most) >> self._n_halvings)
        return batches.by_length(block, self._limit, self._runner.batch_chars)

    def run(self, batch: Sequence[Document]) -> list[tuple[Document, Result]]:
        """The result of each document. Raises what is not the documents' fault."""
        fill = batches.fill(batch, self._limit, self._runner.batch_chars)
        self._metrics.observe("docmill_worker_batch_fill_ratio", self._key[0], value=fill)
        began = time.monotonic()
        with tracing.span("batch", documents=len(batch)):
            found = batches.halving(self._run, batch, _blame, faults.is_not_the_documents)
        self._metrics.observe("docmill_worker_batch_seconds", self._key[0], value=time.monotonic() - began)
        return list(zip(batch, found, strict=True))

    def _run(self, batch: Sequence[Document]) -> Sequence[Result]:
        """Run a batch; if memory does not suffice, later batches of this process are at most half as large."""
        try:
            return self._runner.run(batch)
        except Exception as error:
            if faults.is_out_of_memory(error) and len(batch) > 1:
                limit = self._limits[self._key] = len(batch) // 2
                self._metrics.count("docmill_worker_out_of_memory_total", self._key[0])
                log.warning(
                    "out of memory with %d documents: at most %d at a time from now on", len(batch), limit
                )
            raise


def _blame(document: Document, error: Exception) -> DocumentError:
    blamed = faults.as_document_error(error)
    if blamed is not error:
        with log_context.about(document=document.id):
            log.warning("document %d: %s", document.id, faults.where(error))
    return blamed
