"""What a worker does with one chunk, from claim to close: load, run in batches, write.

No transaction is open while a model works. Everything written carries the claim's fence.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from db import chunks, documents, results
from db.chunks import Claim, Written
from db.database_errors import is_data_error, words
from db.errors import FencedError, NewerSchemaError
from db.store import newer_schema
from nlp_tasks import heartbeat
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document, Kind, Result, Runner, Stage
from workers import kinds
from workers.processes.process import Process
from workers.running import batches, faults
from workers.running.chunk_report import Failed
from workers.running.lease import Lease, StopRequestedError
from workers.running.runners import runner_for
from workers.running.writing import as_written
from workers.training import training_run

log = logging.getLogger("docmill.worker")

#: What has been computed is written at least so often, so that a crash costs little.
FLUSH_SECONDS = 5.0
#: Documents that are loaded, and written, together.
BLOCK = 4_000


def run(process: Process, chunk_id: int) -> str:
    """Claim a chunk and see it through; returns what came of it, in words: `Failed` if that is nothing but errors. A
    message for a chunk that is done, taken, paused or cancelled does nothing."""
    try:
        claim = _claim(process, chunk_id)
    except NewerSchemaError as error:
        log.error("not claimed: %s", error)
        return f"not claimed: {error}"
    except SQLAlchemyError as error:
        # Nothing is held: the scheduler sends the chunk again.
        log.warning("cannot claim chunk %d: %s", chunk_id, words(error))
        return f"not claimed: {type(error).__name__}"
    if claim is None:
        return "nothing to do: done, taken, paused or cancelled"
    process.holds(claim)
    lease = Lease(process, claim)
    try:
        with lease.kept(), heartbeat.heard_by(lease.beat):
            lease.beat()
            kind = kinds.find(claim.kind)
            if kind.train is not None:
                return training_run.run(process, lease, kind, kind.train)
            return ChunkRun(process, lease, kind).run()
    except FencedError:
        return "dropped: the chunk was cancelled or is somebody else's by now"
    except StopRequestedError:
        return _put_back(lease, "the worker was stopped", count=False)
    except NewerSchemaError as error:
        log.error("chunk %d of job %d is given back: %s", claim.chunk_id, claim.job_id, error)
        return _put_back(lease, str(error), count=False)
    except Exception as error:
        if faults.is_sticky(error):
            process.die(f"the device failed: {str(error)[:200]}")
        log.error("chunk %d of job %d: %s", claim.chunk_id, claim.job_id, faults.where(error))
        return _put_back(lease, faults.in_words(error), in_public=faults.in_public(error))
    finally:
        process.holds(None)


class ChunkRun:
    """One claimed chunk of a kind that works on documents."""

    def __init__(self, process: Process, lease: Lease, kind: Kind) -> None:
        self.process = process
        self.lease = lease
        self.claim = lease.claim
        self.kind = kind
        self.stage: Stage = kind.stages[self.claim.stage]
        self.is_last = self.claim.stage == len(kind.stages) - 1
        self.done: list[tuple[Document, Result]] = []
        self.n_ok = self.n_error = 0
        self.codes: Counter[str] = Counter()
        self.handed_over_at = time.monotonic()

    def run(self) -> str:
        pending = self.lease.insist(self._pending_ids)
        if pending:
            runner = runner_for(self.process, self.lease, self.kind, self.stage)
            if self.claim.careful:
                self._run_one_by_one(runner, pending)
            else:
                self._run_all(runner, pending)
        self._write(self.done, close=True)
        return self._in_words()

    def _in_words(self) -> str:
        """Codes only: an error's detail may quote a document's text."""
        codes = ", ".join(f"{code} {n}" for code, n in self.codes.most_common())
        errors = f"{self.n_error} errors" + (f" ({codes})" if codes else "")
        words = f"{self.n_ok + self.n_error} documents: {self.n_ok} ok, {errors}"
        return Failed(words) if self.n_error and not self.n_ok else words

    def _run_one_by_one(self, runner: Runner, ids: list[int]) -> None:
        """Somebody died over this chunk: say which document comes, so that the next death names its cause, and
        write each result at once."""
        for id_ in ids:
            (document,) = self._load([id_])
            self.lease.beat()
            self._suspect(document)
            self._write(self._run_batch(runner, [document]), close=False)

    def _run_all(self, runner: Runner, ids: list[int]) -> None:
        """While a block is run, the next one is loaded and the last one written."""
        blocks = [ids[start : start + BLOCK] for start in range(0, len(ids), BLOCK)]
        with ThreadPoolExecutor(1, "load") as loader, ThreadPoolExecutor(1, "write") as writer:
            writing: Future[None] | None = None
            loading = loader.submit(self._load, blocks[0])
            for following in [*blocks[1:], None]:
                documents_ = loading.result()
                if following is not None:
                    loading = loader.submit(self._load, following)
                for batch in self._batches(runner, documents_):
                    self.lease.beat()
                    self.done += self._run_batch(runner, batch)
                    if self._is_time_to_write():
                        writing = self._hand_over(writer, writing)
            if writing is not None:
                writing.result()

    def _is_time_to_write(self) -> bool:
        return len(self.done) >= BLOCK or time.monotonic() - self.handed_over_at > FLUSH_SECONDS

    def _hand_over(self, writer: ThreadPoolExecutor, writing: Future[None] | None) -> Future[None]:
        """Have what is done written while work goes on; what went wrong with the last write is raised here."""
        if writing is not None:
            writing.result()
        done, self.done = self.done, []
        self.handed_over_at = time.monotonic()
        return writer.submit(self._write, done, close=False)

    def _pending_ids(self) -> list[int]:
        """The documents that are not done: all of them, unless somebody held this chunk before, or an earlier stage
        gave some of them their outcome."""
        if self.claim.fence == 1 and self.claim.stage == 0 and self._kept_table is None:
            return self.claim.document_ids
        with self.process.store.read() as session:
            return self._still_pending(session, self.claim.document_ids)

    def _still_pending(self, session: Session, ids: Sequence[int]) -> list[int]:
        version_id = self.claim.model_version_id
        return results.pending(session, self.claim.job_id, ids, self._kept_table, version_id)

    @property
    def _kept_table(self) -> str | None:
        """The table whose rows make a document done in the first of several stages, before it has an outcome."""
        kept = (row.table for row in self.kind.rows if row.table in results.by_model_version())
        return None if self.is_last or self.claim.stage > 0 else next(kept, None)

    def _load(self, ids: list[int]) -> list[Document]:
        def step() -> list[Document]:
            with self.process.store.read() as session:
                rows = documents.texts(session, ids, with_text=self.stage.reads == "text")
            return [Document(*row) for row in rows]

        return self.lease.insist(step)

    def _batches(self, runner: Runner, block: list[Document]) -> list[list[Document]]:
        limit = self.process.batch_limits.get(self._lesson, runner.batch_documents)
        limit = max(1, min(limit, runner.batch_documents) >> self.claim.n_halvings)
        return batches.by_length(block, limit, runner.batch_chars)

    @property
    def _lesson(self) -> tuple[str, int]:
        return self.claim.kind, self.claim.stage

    def _run_batch(self, runner: Runner, batch: list[Document]) -> list[tuple[Document, Result]]:
        found = batches.halving(self._learning(runner), batch, self._blame, faults.is_not_the_documents)
        return list(zip(batch, found, strict=True))

    def _learning(self, runner: Runner) -> Callable[[Sequence[Document]], Sequence[Result]]:
        """The runner, whose lack of memory is a lesson for the rest of the process's life."""

        def run(batch: Sequence[Document]) -> Sequence[Result]:
            try:
                return runner.run(batch)
            except Exception as error:
                if faults.is_out_of_memory(error) and len(batch) > 1:
                    limit = self.process.batch_limits[self._lesson] = len(batch) // 2
                    log.warning(
                        "out of memory with %d documents: %d at a time from now on", len(batch), limit
                    )
                raise

        return run

    def _blame(self, document: Document, error: Exception) -> DocumentError:
        blamed = faults.as_document_error(error)
        if blamed is not error:
            log.warning("document %d: %s", document.id, faults.where(error))
        return blamed

    def _suspect(self, document: Document) -> None:
        def step() -> None:
            with self.process.store.write() as session:
                chunks.suspect(session, self.claim, document.id, self.lease.seconds)

        self.lease.insist_on_writing(step)

    def _write(self, done: Sequence[tuple[Document, Result]], *, close: bool) -> None:
        """Write what has been computed. When the connection broke at the commit, nobody knows whether it came
        through: so a second try first looks which of the documents are still open."""
        tries = 0

        def step() -> Written:
            nonlocal tries, done
            tries += 1
            with self.process.store.write() as session:
                if tries > 1:
                    still_open = set(self._still_pending(session, [document.id for document, _ in done]))
                    done = [pair for pair in done if pair[0].id in still_open]
                written = as_written(done, with_outcomes=self.is_last)
                chunks.write(session, self.claim, written, self.lease.seconds, close=close)
            return written

        try:
            written = self.lease.insist_on_writing(step)
        except Exception as error:
            if isinstance(error, DBAPIError):
                self._insist_on_a_known_schema(error)
            if not is_data_error(error):
                raise
            self._write_in_halves(done, error, close=close)
            return
        self.n_ok += len(done) - len(written.errors)
        self.n_error += len(written.errors)
        self.codes.update(code for _, code, _ in written.errors)
        self.lease.renewed()

    def _insist_on_a_known_schema(self, error: DBAPIError) -> None:
        """Tables that a newer docmill has changed under this one refuse what no document is to blame for."""
        with self.process.store.read() as session:
            words = newer_schema(session)
        if words:
            raise NewerSchemaError(words) from error

    def _write_in_halves(
        self, done: Sequence[tuple[Document, Result]], error: Exception, *, close: bool
    ) -> None:
        """The database refuses a value: find the document whose result it is, and blame that one alone."""
        if not done:
            raise error
        if len(done) == 1:
            document, result = done[0]
            if isinstance(result, DocumentError) and result.code == "BAD_RESULT":
                raise error
            refused = type(getattr(error, "orig", None) or error).__name__
            blamed = DocumentError("BAD_RESULT", f"the database refuses its result: {refused}")
            self._write([(document, blamed)], close=close)
            return
        middle = len(done) // 2
        self._write(done[:middle], close=False)
        self._write(done[middle:], close=close)


def _claim(process: Process, chunk_id: int) -> Claim | None:
    with process.store.write() as session:
        return chunks.claim(session, chunk_id, process.holder, process.settings.lease_seconds)


def _put_back(lease: Lease, fault: str, *, in_public: str = "", count: bool = True) -> str:
    """Give the chunk back for a fault that is no document's, with a delay that grows with each one. The store
    keeps the whole fault; what Celery logs and Flower shows is `in_public`."""
    process, claim = lease.process, lease.claim
    try:
        with process.store.write() as session:
            if count:
                chunks.put_back(session, claim, fault)
            else:
                chunks.give_back(session, process.instance)
    except Exception as error:
        # The lease runs out by itself.
        log.warning("cannot put chunk %d back: %s", claim.chunk_id, type(error).__name__)
    words = f"put back: {in_public or fault}"
    return Failed(words) if count else words
