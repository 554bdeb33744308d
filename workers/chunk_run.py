"""What a worker does with one chunk, from claim to close: load, run in batches, write.

No transaction is open while a model works. Everything written carries the claim's fence.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from typing import Any

from db import chunks, documents, results
from db.chunks import Claim, Written
from db.errors import FencedError
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Kind, Result, Runner, Stage
from workers import batches, faults, kinds, training
from workers.lease import Lease, StopRequestedError
from workers.process import Process
from workers.runners import runner_for

log = logging.getLogger("docmill.worker")

#: What has been computed is written at least so often, so that a crash costs little.
FLUSH_SECONDS = 5.0


def run(process: Process, chunk_id: int) -> str:
    """Claim a chunk and see it through; returns what came of it, in words. A message for a chunk that is done,
    taken, paused or cancelled does nothing."""
    claim = _claim(process, chunk_id)
    if claim is None:
        return "nothing to do: done, taken, paused or cancelled"
    lease = Lease(process, claim)
    try:
        lease.beat()
        kind = kinds.find(claim.kind)
        if kind.train is not None:
            return training.run(process, lease, kind, kind.train)
        return ChunkRun(process, lease, kind).run()
    except FencedError:
        return "dropped: the chunk was cancelled or is somebody else's by now"
    except StopRequestedError:
        return _put_back(lease, "the worker was stopped", count=False)
    except Exception as error:
        if faults.is_sticky(error):
            process.die(f"the device failed: {str(error)[:200]}")
        log.exception("chunk %d of job %d", claim.chunk_id, claim.job_id)
        return _put_back(lease, f"{type(error).__name__}: {str(error)[:500]}")
    finally:
        process.watch_no_more()


class ChunkRun:
    """One claimed chunk of a kind that works on documents."""

    def __init__(self, process: Process, lease: Lease, kind: Kind) -> None:
        self.process = process
        self.lease = lease
        self.claim = lease.claim
        self.stage: Stage = kind.stages[self.claim.stage]
        self.is_last = self.claim.stage == len(kind.stages) - 1
        self.kind = kind
        self.done: list[tuple[Document, Result]] = []
        self.n_ok = self.n_error = 0
        self.flushed_at = time.monotonic()

    def run(self) -> str:
        pending = self._load()
        if pending:
            runner = runner_for(self.process, self.lease, self.kind, self.stage)
            for batch in self._batches(runner, pending):
                self._run_batch(runner, batch)
        self._flush(close=True)
        return f"{self.n_ok + self.n_error} documents: {self.n_ok} ok, {self.n_error} errors"

    def _load(self) -> list[Document]:
        """The chunk's documents that are not done: all of them, unless a worker died over this chunk."""
        with_text = self.stage.reads == "text"

        def step() -> list[Document]:
            with self.process.store.read() as session:
                ids = self._pending(session, self.claim.document_ids)
                return [
                    Document(text.id, text.key, text.text, text.label)
                    for text in documents.texts(session, ids, with_text=with_text)
                ]

        return self.lease.insist(step)

    def _pending(self, session: Any, ids: Sequence[int]) -> list[int]:
        keep = (
            None
            if self.is_last
            else next((r.table for r in self.kind.rows if r.table in results.BY_MODEL_VERSION), None)
        )
        return results.pending(session, self.claim.job_id, ids, keep, self.claim.model_version_id)

    def _batches(self, runner: Runner, pending: list[Document]) -> list[list[Document]]:
        if self.claim.careful:
            # Somebody died over this chunk: in order, one by one, so that the next death names its cause.
            return [[document] for document in pending]
        limit = self.process.batch_limits.get(self._lesson, runner.batch_documents)
        return batches.by_length(pending, min(limit, runner.batch_documents), runner.batch_chars)

    @property
    def _lesson(self) -> tuple[str, int]:
        return self.claim.kind, self.claim.stage

    def _run_batch(self, runner: Runner, batch: list[Document]) -> None:
        self.lease.beat()
        if self.claim.careful:
            self._suspect(batch[0])
        self.done += zip(
            batch,
            batches.halving(self._guarded(runner), batch, self._blame, faults.is_not_the_documents),
            strict=True,
        )
        if self.claim.careful or time.monotonic() - self.flushed_at > FLUSH_SECONDS:
            self._flush(close=False)

    def _guarded(self, runner: Runner) -> Any:
        def step(batch: Sequence[Document]) -> Sequence[Result]:
            try:
                return runner.run(batch)
            except Exception as error:
                if faults.is_out_of_memory(error) and len(batch) > 1:
                    self.process.batch_limits[self._lesson] = len(batch) // 2
                    log.warning(
                        "out of memory with %d documents: %d at a time from now on",
                        len(batch),
                        len(batch) // 2,
                    )
                raise

        return step

    def _blame(self, document: Document, error: Exception) -> DocumentError:
        blamed = faults.as_document_error(error)
        if blamed is not error:
            log.warning("document %d: %s", document.id, type(error).__name__, exc_info=error)
        return blamed

    def _suspect(self, document: Document) -> None:
        def step() -> None:
            with self.process.store.write() as session:
                chunks.suspect(session, self.claim, document.id, self.lease.seconds)

        self.lease.insist(step)

    def _flush(self, *, close: bool) -> None:
        """Write what has been computed. When the connection broke at the commit, nobody knows whether it came
        through: so a second try first looks which of the documents are still open."""
        tries = 0

        def step() -> tuple[int, int]:
            nonlocal tries
            tries += 1
            done = self.done
            with self.process.store.write() as session:
                if tries > 1:
                    still_open = set(self._pending(session, [document.id for document, _ in done]))
                    done = [(document, result) for document, result in done if document.id in still_open]
                written = self._written(done)
                chunks.write(session, self.claim, written, self.lease.seconds, close=close)
            return len(done) - len(written.errors), len(written.errors)

        n_ok, n_error = self.lease.insist(step)
        self.n_ok += n_ok
        self.n_error += n_error
        self.done = []
        self.flushed_at = time.monotonic()
        self.lease.renewed()

    def _written(self, done: Sequence[tuple[Document, Result]]) -> Written:
        ok_ids: list[int] = []
        errors: list[tuple[int, str, str]] = []
        rows: dict[str, list[dict[str, Any]]] = {}
        for document, result in done:
            if isinstance(result, DocumentError):
                errors.append((document.id, result.code, result.detail))
                continue
            ok_ids.append(document.id)
            for row in result:
                values = {name: getattr(row, name) for name in _columns(type(row))}
                rows.setdefault(row.table, []).append({"document_id": document.id} | values)
        return Written(ok_ids if self.is_last else [], errors, rows)


@cache
def _columns(row: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(row))


def _claim(process: Process, chunk_id: int) -> Claim | None:
    with process.store.write() as session:
        return chunks.claim(session, chunk_id, process.name, process.settings.lease_seconds)


def _put_back(lease: Lease, fault: str, *, count: bool = True) -> str:
    """Give the chunk back for a fault that is no document's, with a delay that grows with each one."""
    process, claim = lease.process, lease.claim
    try:
        with process.store.write() as session:
            if count:
                chunks.put_back(session, claim, fault)
            else:
                chunks.give_back(session, process.name)
    except Exception as error:
        # The lease runs out by itself.
        log.warning("cannot put chunk %d back: %s", claim.chunk_id, type(error).__name__)
    return f"put back: {fault}"
