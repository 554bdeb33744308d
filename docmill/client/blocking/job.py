"""A job, for the client that waits for each answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, overload

from db.jobs import Submitted
from db.progress import JobProgress
from docmill.client import choosing, frames, requesting
from docmill.client.choosing import Connection
from docmill.client.frames import As
from docmill.client.operations import jobs
from docmill.client.operations.description import Operation
from docmill.errors import WaitTimeoutError

T = TypeVar("T")
Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A job in the store. Made by `submit` and `job`."""

    id: int
    n_documents: int
    #: False if the same key had been submitted before, or a unique job does the same as one that has not ended.
    created: bool = field(default=True, compare=False)
    _connect: Callable[[], Connection] = field(
        default=choosing.shared, repr=False, compare=False, kw_only=True
    )

    def progress(self) -> JobProgress:
        """How far the job is now."""
        return self._run(jobs.progress_of(self.id))

    def wait(self, timeout_seconds: float | None = None, poll_seconds: float = 0.5) -> JobProgress:
        """Return once the job has ended. WaitTimeoutError after `timeout_seconds`; the job continues. So it does
        after Ctrl-C."""
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not (now := self.progress()).ended:
            if until is not None and time.monotonic() > until:
                raise WaitTimeoutError(requesting.not_yet(now, timeout_seconds))
            time.sleep(poll_seconds)
        return now

    @overload
    def results(
        self,
        table: str | None = None,
        meta: Sequence[str] = (),
        *,
        as_: Literal["rows"] = "rows",
        limit: int | None = None,
    ) -> Iterator[Row]: ...

    @overload
    def results(
        self,
        table: str | None = None,
        meta: Sequence[str] = (),
        *,
        as_: Literal["pandas", "polars", "arrow"],
        limit: int | None = None,
    ) -> Any: ...

    def results(
        self,
        table: str | None = None,
        meta: Sequence[str] = (),
        *,
        as_: As = "rows",
        limit: int | None = None,
    ) -> Any:
        """The rows of a result table with `document_key`; of the kind's main table if none is named. Rows of a
        running job are there as soon as their documents are done. `meta` names fields of the documents' metadata to
        add; at most `limit` rows are read.

        As "rows", an iterator of dictionaries, which reads piece by piece; as "pandas" or "polars", a DataFrame; as
        "arrow", a table of pyarrow. The types of the columns are those of the result table, also without rows.

        InvalidRequestError if the kind has no such table, or no document such a field; MissingPackageError if the
        package is not installed."""
        frames.check(as_)
        rows = self._connect().rows(jobs.results(self.id, table, meta, limit))
        if as_ == "rows":
            return rows
        progress = self.progress()
        return frames.made(rows, frames.result_columns(progress.kind, table, progress.model), as_)

    @overload
    def errors(self, *, as_: Literal["rows"] = "rows", limit: int | None = None) -> Iterator[Row]: ...

    @overload
    def errors(self, *, as_: Literal["pandas", "polars", "arrow"], limit: int | None = None) -> Any: ...

    def errors(self, *, as_: As = "rows", limit: int | None = None) -> Any:
        """The documents that failed, with `error_code` and `error_detail`. `as_` and `limit` are those of
        `results`."""
        frames.check(as_)
        rows = self._connect().rows(jobs.errors(self.id, limit))
        return rows if as_ == "rows" else frames.made(rows, frames.ERROR_COLUMNS, as_)

    def cancel(self) -> None:
        """End the job early. Results that are there stay; the other documents get the outcome CANCELLED.
        ConflictError if it has ended."""
        self._run(jobs.cancel(self.id))

    def pause(self) -> None:
        """Start no further chunk; what workers hold is finished. ConflictError unless it is running or paused."""
        self._run(jobs.pause(self.id))

    def resume(self) -> None:
        """Continue a paused job. ConflictError unless it is paused or running."""
        self._run(jobs.resume(self.id))

    def retry(self, where: str | None = None) -> Job:
        """A new job over the latest versions of the documents that failed, of those that the selection `where` means,
        if it is given. The selection of this job is evaluated anew. NothingToDoError if none did, ConflictError if
        this job has not ended."""
        return of(self._run(jobs.retry(self.id, where)), self._connect)

    def _run(self, operation: Operation[T]) -> T:
        return self._connect().run(operation)


def of(found: Submitted, connect: Callable[[], Connection]) -> Job:
    """The job that was submitted."""
    return Job(found.job_id, found.n_documents, found.created, _connect=connect)
