"""Writing a chunk's results: once, even if the connection breaks at the commit, and without the results that the
database refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db import chunks
from db.chunks import Written
from db.database_errors import is_data_error
from db.errors import NewerSchemaError
from db.states import ErrorCode
from db.store import newer_schema
from nlp_tasks.errors import DocumentError
from nlp_tasks.kind import Document
from workers import tracing
from workers.processes.process import Process
from workers.running.chunk_report import Failed
from workers.running.lease import Lease
from workers.running.writing import Refusal, Stored, as_written, refusal

#: Documents with their results.
Done = Sequence[tuple[Document, Stored]]


class Storing:
    """Writes the results of one claim, and counts them."""

    def __init__(
        self,
        process: Process,
        lease: Lease,
        still_pending: Callable[[Session, Sequence[int]], list[int]],
        *,
        with_outcomes: bool,
    ) -> None:
        self._store = process.store
        self._metrics = process.metrics
        self._lease = lease
        self._still_pending = still_pending
        self._with_outcomes = with_outcomes
        self.n_ok = self.n_error = 0
        self.codes: Counter[str] = Counter()

    def report(self) -> str:
        """What was written, in words. Codes only: an error's detail may quote a document's text."""
        codes = ", ".join(f"{code} {n}" for code, n in self.codes.most_common())
        errors = f"{self.n_error} errors" + (f" ({codes})" if codes else "")
        words = f"{self.n_ok + self.n_error} documents: {self.n_ok} ok, {errors}"
        return Failed(words) if self.n_error and not self.n_ok else words

    def suspect(self, document: Document) -> None:
        """Announce the document that is about to be run alone."""

        def step() -> None:
            with self._store.write() as session:
                chunks.suspect(session, self._lease.claim, document.id, self._lease.seconds)

        self._lease.insist_on_writing(step)

    def write(self, done: Done, *, close: bool = False) -> None:
        """Write results; with `close`, they are the chunk's last."""
        with tracing.span("write", documents=len(done), close=close):
            self._write(done, close=close)

    def _write(self, done: Done, *, close: bool) -> None:
        """Write results in one transaction; with `close`, they are the chunk's last. If the connection breaks at the
        commit, nobody knows whether the commit succeeded: so a second try first looks which documents are still
        pending."""
        tries = 0

        def step() -> Written:
            nonlocal tries, done
            tries += 1
            claim, seconds = self._lease.claim, self._lease.seconds
            if tries == 1:
                written = as_written(done, with_outcomes=self._with_outcomes)
                return chunks.write_at_once(self._store, claim, written, seconds, close=close)
            with self._store.write_results() as session:
                pending = set(self._still_pending(session, [document.id for document, _ in done]))
                done = [pair for pair in done if pair[0].id in pending]
                written = as_written(done, with_outcomes=self._with_outcomes)
                return chunks.write(session, claim, written, seconds, close=close)

        try:
            written = self._lease.insist_on_writing(step)
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
        self._metrics.count("docmill_worker_documents_total", self._lease.claim.kind, n=len(done))
        self._lease.renewed()

    def _insist_on_a_known_schema(self, error: DBAPIError) -> None:
        """If a newer docmill has changed the tables, no document is to blame for what they refuse."""
        with self._store.read() as session:
            problem = newer_schema(session, tolerated=False)
        if problem:
            raise NewerSchemaError(problem) from error

    def _write_in_halves(self, done: Done, error: Exception, *, close: bool) -> None:
        """The database refuses a value: find the document whose result it is, and blame that one alone."""
        if not done:
            raise error
        if len(done) == 1:
            document, result = done[0]
            if isinstance(result, DocumentError) and result.code == ErrorCode.BAD_RESULT:
                raise error
            refused = type(getattr(error, "orig", None) or error).__name__
            blamed = DocumentError(ErrorCode.BAD_RESULT, f"the database refuses its result: {refused}")
            # Of a refusal, it is what it says of others that the database refuses.
            blamed = result.error if isinstance(result, Refusal) else blamed
            self.write([(document, refusal(result, blamed))], close=close)
            return
        middle = len(done) // 2
        self.write(done[:middle])
        self.write(done[middle:], close=close)
