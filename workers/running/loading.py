"""Which documents of a chunk are still to be run, and their texts: the next block is loaded while one is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sqlalchemy.orm import Session

from db import documents, results
from nlp_tasks.kind import Document, Kind
from workers import tracing
from workers.processes.log_context import carried
from workers.processes.process import Process
from workers.running.lease import Lease

#: Documents that are loaded, and written, together.
BLOCK = 4_000


class Loading:
    """The documents of one claimed chunk."""

    def __init__(self, process: Process, lease: Lease, kind: Kind) -> None:
        self._store = process.store
        self._lease = lease
        self._claim = lease.claim
        self._stage = kind.stages[lease.claim.stage]
        self._with_meta = kind.reads_meta
        self._kept_table = _kept_table(kind, lease.claim.stage)
        #: Documents that were to be loaded, and had been removed.
        self.removed: list[int] = []

    def pending(self) -> list[int]:
        """The ids of the documents that are not done: all of them, unless the chunk was claimed before, or an earlier
        stage gave some of them their outcome."""
        if self._claim.fence == 1 and self._claim.stage == 0 and self._kept_table is None:
            return self._claim.document_ids

        def step() -> list[int]:
            with self._store.read() as session:
                return self.still_pending(session, self._claim.document_ids)

        return self._lease.insist(step)

    def still_pending(self, session: Session, ids: Sequence[int]) -> list[int]:
        """Those of these documents that are not done at this moment."""
        version_id = self._claim.model_version_id
        return results.pending(session, self._claim.job_id, ids, self._kept_table, version_id)

    def load(self, ids: Sequence[int]) -> list[Document]:
        """These documents, but those that were removed; without their texts if the stage does not read them."""

        def step() -> list[Document]:
            with self._store.look() as session:
                rows = documents.texts(session, ids, with_text=self._stage.reads == "text")
                metas = documents.metas(session, ids) if self._with_meta else {}
            return [
                Document(row.id, row.key, row.text, row.label, row.not_prose, metas.get(row.id) or {})
                for row in rows
            ]

        with tracing.span("load", documents=len(ids)):
            found = self._lease.insist(step)
        if len(found) < len(ids):
            there = {document.id for document in found}
            self.removed += [id_ for id_ in ids if id_ not in there]
        return found

    @contextmanager
    def ahead(self, ids: Sequence[int]) -> Iterator[Iterator[list[Document]]]:
        """Blocks of these documents. While the caller works on one, the next is loaded in a thread."""
        if len(ids) <= BLOCK:
            yield iter([self.load(ids)])
            return
        with ThreadPoolExecutor(1, "load") as thread:
            yield self._blocks(thread, [ids[start : start + BLOCK] for start in range(0, len(ids), BLOCK)])

    def _blocks(self, thread: ThreadPoolExecutor, blocks: list[Sequence[int]]) -> Iterator[list[Document]]:
        loading = thread.submit(carried(self.load), blocks[0])
        for following in blocks[1:]:
            block = loading.result()
            loading = thread.submit(carried(self.load), following)
            yield block
        yield loading.result()


def _kept_table(kind: Kind, stage: int) -> str | None:
    """The table whose rows make a document done in the first of several stages, before it has an outcome."""
    is_last = stage == len(kind.stages) - 1
    kept = (row.table for row in kind.rows if row.table in results.by_model_version())
    return None if is_last or stage > 0 else next(kept, None)
