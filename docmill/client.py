"""The Python client: add documents, submit jobs, wait for them, read their results.

    from docmill import Client

    with Client() as client:
        client.add("filings/", collection="inbox")
        job = client.submit("summarize", collection="inbox", parameters={"sentences": 2})
        job.wait()
        for row in job.results():
            print(row["document_key"], row["summary"])

A client talks to the store only: neither Redis nor a worker has to run on its machine, and it never imports torch.
The errors it raises are in `docmill.errors`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from types import TracebackType
from typing import Any, Literal

from db import documents, jobs, progress, removal, results
from db.progress import JobProgress
from db.store import Store, check
from docmill.errors import WaitTimeoutError, only_docmill_errors
from docmill.job_rows import job_rows
from readers import ReadOptions
from readers.frames import Records
from scheduler import adding, labelling, queries, removing, requests
from scheduler import store as settings_store
from scheduler.adding import Report, Tell
from scheduler.exports import making
from scheduler.exports.manifest import Manifest
from scheduler.exports.request import ExportRequest, Format, Mode
from scheduler.removing import Removed
from scheduler.removing import Tell as TellRemoved
from scheduler.requests import JobRequest
from scheduler.sources import Source
from workers import kinds
from workers.settings import settings


@dataclass(frozen=True)
class Job:
    """A job in the store. Made by `submit` and `job`."""

    id: int
    n_documents: int
    #: False if the same key had been submitted before, or a unique job does the same as one that has not ended.
    created: bool = field(default=True, compare=False)
    _store: Callable[[], Store] = field(default=settings_store.store, repr=False, compare=False)

    def progress(self) -> JobProgress:
        """How far the job is now."""
        with only_docmill_errors(), self._store().read() as session:
            return progress.of(session, self.id)

    def wait(self, timeout_seconds: float | None = None, poll_seconds: float = 0.5) -> JobProgress:
        """Return once the job has ended. WaitTimeoutError after `timeout_seconds`; the job continues."""
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not (now := self.progress()).ended:
            if until is not None and time.monotonic() > until:
                why = f"; {now.fault}" if now.fault else ""
                raise WaitTimeoutError(
                    f"job {self.id} is {now.state} after {timeout_seconds} s: "
                    f"{now.n_done} of {now.n_documents} documents{why}"
                )
            time.sleep(poll_seconds)
        return now

    def results(self, table: str | None = None, meta: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """The rows of a result table as dictionaries with `document_key`; of the kind's main table if none is named.
        Rows of a running job are there as soon as their documents are done. `meta` names
        fields of the documents' metadata to add. InvalidRequestError if the kind has no such table, or no document such
        a field."""
        with only_docmill_errors(), self._store().read() as session:
            yield from job_rows(session, progress.of(session, self.id), table, meta)

    def errors(self) -> Iterator[dict[str, Any]]:
        """The documents that failed, with `error_code` and `error_detail`."""
        with only_docmill_errors(), self._store().read() as session:
            yield from results.errors_of(session, self.id)

    def cancel(self) -> None:
        """End the job early. Results that are there stay; the other documents get the outcome CANCELLED.
        ConflictError if it has ended."""
        with only_docmill_errors(), self._store().write() as session:
            jobs.stop(session, self.id, "CANCELLED", "the job was cancelled")

    def retry(self, where: str | None = None) -> Job:
        """A new job over the latest versions of the documents that failed, of those that the selection `where` means,
        if it is given. The selection of this job is evaluated anew. NothingToDoError if none did, ConflictError if
        this job has not ended."""
        with only_docmill_errors(), self._store().write() as session:
            found = requests.retry(session, self.id, where=where)
        return Job(found.job_id, found.n_documents, found.created, self._store)


class Client:
    """A connection to one store. Cheap to make: it connects on first use. Threads may share it."""

    def __init__(self, database_url: str | None = None) -> None:
        """`database_url` is a URL such as `postgresql://user:password@host/database` or
        `sqlite:////full/path/docmill.db`; the store of DOCMILL_DATABASE_URL and DOCMILL_HOME if not given."""
        with only_docmill_errors():
            self._own = Store(database_url if database_url is not None else settings().url)
        self._is_checked = False

    def add(
        self,
        *paths: str | PathLike[str],
        collection: str,
        options: ReadOptions | None = None,
        tell: Tell | None = None,
        extract: Mapping[str, Any] | None = None,
        extract_again: bool = False,
    ) -> Report:
        """Add the documents in files and folders to a collection, which is created if it does not exist. A path may
        be a pattern (`in/**/*.{pdf,txt}`), or a URL of storage that DOCMILL_REMOTE_FILES allows.

        Files that have to be parsed (PDF, HWP, office files, web pages, mail, archives) are registered, and an extract
        job with the parameters `extract` makes documents of them: `Report.files.job` is its number. With
        `extract_again` it also takes those that failed or that an older extractor read.

        Unchanged documents are skipped; changed ones become a new version. What cannot be read is in `Report.bad`
        with file and line. `tell` is called after each batch with what is stored and the number of bad records. The
        store is created if there is none.
        """
        with only_docmill_errors():
            return adding.add(
                self._made,
                *paths,
                collection=collection,
                options=options,
                tell=tell,
                extract=extract,
                extract_again=extract_again,
            )

    def add_records(
        self,
        records: Records,
        *,
        collection: str,
        options: ReadOptions | None = None,
        tell: Tell | None = None,
    ) -> Report:
        """As `add`, for rows with `id`, `text` and, for training, `label`; `options` names other fields.
        All others are metadata.

        `records` is any iterable of dictionaries (a list, a generator), a DataFrame of pandas or polars, an Arrow table
        or RecordBatchReader, or any other object with `__arrow_c_stream__`. Generators and readers are read batch by
        batch. None, NaN, NaT and NA are missing values; dates become text in ISO 8601. What cannot be stored is in
        `Report.bad` with the number of the record, from 1."""
        with only_docmill_errors():
            return adding.add_records(self._made, records, collection=collection, options=options, tell=tell)

    def add_query(
        self,
        sql: str,
        *,
        database: str,
        collection: str,
        values: Mapping[str, Any] | None = None,
        options: ReadOptions | None = None,
        tell: Tell | None = None,
    ) -> Report:
        """As `add_records`, for the rows of a SELECT on another database, which are streamed in a read-only
        transaction. `database` is a URL, or env:NAME for the variable that holds it; `values` are those of `:names` in
        the query. InvalidRequestError if the database refuses it, ConnectionError if it does not answer."""
        with only_docmill_errors():
            source = Source(sql=sql, database=database, values=values or {})
            return adding.add(self._made, collection=collection, source=source, options=options, tell=tell)

    def submit(
        self,
        kind: str,
        *,
        collection: str | Sequence[str],
        model: str | None = None,
        parameters: dict[str, Any] | None = None,
        priority: int = 5,
        key: str | None = None,
        after: int | None = None,
        only_new: bool = False,
        where: str | None = None,
        corrections: bool = True,
        submitter: str | None = None,
        exclusive: bool = False,
        unique: bool = False,
    ) -> Job:
        """Submit a job over the latest documents of a collection. Once this returns, every one of them will get
        exactly one outcome. The same `key` twice is one job.

        `model` is NAME, NAME@VERSION or NAME@ALIAS; for a kind that trains, the name of the new model. `after` is
        the number of a job that has to finish first. `only_new` takes only documents that no job like this one has
        given a result; for similarity also those whose neighbours have changed. `where` takes only those whose
        metadata it selects: "published >= '2026-01-01' and company = 'X'".

        A kind that trains may have several collections. `train-classify` learns the labels given where the model is
        used, too, unless `corrections` is False.

        `submitter` is the name that `docmill limits` refers to; user@host of this process if None. An `exclusive` job
        runs beside no other of its collection and kind. With `unique`, a job that has not ended and does the same is
        returned, if there is one, and `created` is False.

        Raises InvalidRequestError for an unknown kind, parameter or field, NotFoundError for an unknown collection or
        model, ConflictError for a key that another request has used, NothingToDoError if there is no document to
        take.
        """
        first, *also = [collection] if isinstance(collection, str) else collection
        request = JobRequest(
            kind,
            first,
            model,
            parameters or {},
            priority,
            key,
            after,
            only_new,
            where,
            also,
            corrections,
            submitter,
            exclusive,
            unique,
        )
        with only_docmill_errors(), self._store().write() as session:
            found = requests.submit(session, request)
        return Job(found.job_id, found.n_documents, found.created, self._store)

    def job(self, job_id: int) -> Job:
        """A job by its number. NotFoundError if there is none."""
        with only_docmill_errors(), self._store().read() as session:
            found = progress.of(session, job_id)
        return Job(found.job_id, found.n_documents, created=False, _store=self._store)

    def jobs(self, limit: int = 20) -> list[JobProgress]:
        """How far the latest jobs are, newest first."""
        with only_docmill_errors(), self._store().read() as session:
            return progress.newest(session, limit)

    def sql(self, query: str, limit: int | None = None) -> list[dict[str, Any]]:
        """The rows of a SELECT, at most `limit`. The query can change nothing and ends after DOCMILL_QUERY_SECONDS.
        InvalidRequestError if the database refuses it."""
        with only_docmill_errors():
            found = queries.run(self._store(), query, limit)
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]

    def export(
        self,
        what: str | int,
        *,
        to: str | PathLike[str] | None = None,
        to_table: str | None = None,
        format: Literal["csv", "jsonl", "parquet", "xlsx"] | None = None,
        mode: Literal["replace", "upsert"] = "replace",
        key: Sequence[str] = (),
        changed_since: str | None = None,
        name: str | None = None,
        restart: bool = False,
        bom: bool = False,
        raw: bool = False,
        table: str | None = None,
        time_zone: str = "UTC",
        seconds: float = 3_600,
        tell: Callable[[int, int | None], None] | None = None,
    ) -> Manifest:
        """Export a view, the results of a job (its number), or one SELECT to a file or to a table of another
        database, as `docmill export` does. The file is there whole or not at all; the table changes in one
        transaction. `tell` is called with the number of rows so far, and that of all rows where it is known.

        Raises InvalidRequestError for what cannot be carried out, NotFoundError for an unknown job, ConflictError if
        `name` was used for another query, StoreError if the other database refuses something, OSError for a file
        that cannot be written."""
        request = ExportRequest(
            what=str(what),
            to=None if to is None else fspath(to),
            to_table=to_table,
            format=None if format is None else Format(format),
            mode=Mode(mode),
            key=tuple(key),
            changed_since=changed_since,
            name=name,
            restart=restart,
            bom=bom,
            raw=raw,
            table=table,
            time_zone=time_zone,
            seconds=seconds,
        )
        with only_docmill_errors():
            return making.export(self._store(), request, tell)

    def set_label(self, key: str, label: str, *, collection: str | None = None) -> None:
        """Give a document a label, which then overrides a model's and is used by the next training. `collection` is
        needed only if several have a document with this key."""
        with only_docmill_errors():
            labelling.set_label(self._store(), key, label, collection)

    def documents(
        self, collection: str, *, where: str | None = None, limit: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """The documents of a collection in their latest versions, without their texts: `document_key`, `version`,
        `body_chars`, `label`, `source`, `added_at`. With `where`, those whose metadata it selects."""
        with only_docmill_errors(), self._store().read() as session:
            number = documents.collection_id(session, collection)
            yield from documents.listing(session, number, where, limit=limit)

    def remove(
        self,
        *keys: str,
        collection: str,
        where: str | None = None,
        dry_run: bool = True,
        tell: TellRemoved | None = None,
    ) -> Removed:
        """Remove documents for good, in all versions, with their labels and results; outcomes of jobs stay. `keys` says
        which, or `where`: those whose metadata it selects. Unless `dry_run` is False, nothing is changed, and the
        answer says what would be removed. After an interruption, the same call removes the rest. Keys that do not
        exist are in `Removed.unknown`. InvalidRequestError without keys and `where`, or with both."""
        with only_docmill_errors():
            store = self._store()
            with store.read() as session:
                chosen = removing.chosen(session, collection, keys, where)
            return (removing.plan if dry_run else removing.remove)(store, chosen, tell)

    def remove_collection(
        self, name: str, *, dry_run: bool = True, tell: TellRemoved | None = None
    ) -> Removed:
        """As `remove`, for a collection with all its documents and files."""
        with only_docmill_errors():
            return removing.remove_collection(self._store(), name, tell, really=not dry_run)

    def rename_collection(self, name: str, new: str) -> None:
        """Give a collection another name, also in schedules. ConflictError if the name is taken."""
        with only_docmill_errors():
            adding.check_collection_name(new)
            with self._store().write() as session:
                removal.rename(session, name, new)

    def search(
        self,
        query: str,
        *,
        collection: str | None = None,
        where: str | None = None,
        limit: int = 10,
        offset: int = 0,
        hybrid: bool = False,
    ) -> list[dict[str, Any]]:
        """The latest documents that answer a query of words, the best first: `rank`, `document_key`, `collection`,
        `score`, `label`, `body_chars`, `added_at`, `excerpt`, and `marks`, the (start, end) of the query's words in the
        excerpt. `hybrid` combines the words with the vectors of the newest similarity job. The language of the query
        is in docs/search.md. InvalidRequestError for one that cannot be read."""
        from scheduler.search import SearchRequest
        from scheduler.search import search as find

        with only_docmill_errors():
            request = SearchRequest(query, collection, where, limit, offset, hybrid)
            return [hit.as_row() for hit in find(self._store(), request).hits]

    def close(self) -> None:
        """Close the connections. The next call opens new ones."""
        self._own.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _store(self) -> Store:
        """The store, checked once. NoStoreError if there is none; none is made."""
        if not self._is_checked:
            check(self._own, create=False)
            self._is_checked = True
        return self._own

    def _made(self) -> Store:
        """The same, made if there is none."""
        if not self._own.is_made:
            kinds.all_kinds()
        check(self._own)
        return self._store()


class _Default(Client):
    """A client of the store that this process shares, which is looked up at every call."""

    def __init__(self) -> None:
        pass

    def close(self) -> None:
        """Nothing: others use that store too."""

    def _store(self) -> Store:
        return settings_store.store()

    def _made(self) -> Store:
        return settings_store.make_store()


_default = _Default()


def add(
    *paths: str | PathLike[str],
    collection: str,
    options: ReadOptions | None = None,
    tell: Tell | None = None,
    extract: Mapping[str, Any] | None = None,
    extract_again: bool = False,
) -> Report:
    """`Client.add` on the store of the settings."""
    return _default.add(
        *paths,
        collection=collection,
        options=options,
        tell=tell,
        extract=extract,
        extract_again=extract_again,
    )


def submit(
    kind: str,
    *,
    collection: str | Sequence[str],
    model: str | None = None,
    parameters: dict[str, Any] | None = None,
    priority: int = 5,
    key: str | None = None,
    after: int | None = None,
    only_new: bool = False,
    where: str | None = None,
    corrections: bool = True,
) -> Job:
    """`Client.submit` on the store of the settings."""
    return _default.submit(
        kind,
        collection=collection,
        model=model,
        parameters=parameters,
        priority=priority,
        key=key,
        after=after,
        only_new=only_new,
        where=where,
        corrections=corrections,
    )


def job(job_id: int) -> Job:
    """`Client.job` on the store of the settings."""
    return _default.job(job_id)
