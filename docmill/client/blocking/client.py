"""The client that waits for each answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Literal

from db.progress import JobProgress
from docmill.client import choosing, requesting
from docmill.client.blocking import job
from docmill.client.blocking.documents import DocumentMethods
from docmill.client.blocking.job import Job
from docmill.client.operations import jobs, models, queries, words
from scheduler.exports.manifest import Manifest

Row = dict[str, Any]


class Client(DocumentMethods):
    """A connection to one store, or to the server before it. Cheap to make: it connects on first use. Threads may
    share it."""

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        timeout_seconds: float = 60,
        retry_seconds: float = 60,
        database_url: str | None = None,
    ) -> None:
        """`url` is a store, such as `postgresql://user:password@host/database` or `sqlite:////full/path/docmill.db`,
        or a server, such as `http://host:8484` (`docmill serve`), which needs a `key`, or DOCMILL_SERVER_KEY. Without
        it, the server of DOCMILL_SERVER_URL, or if that is not set, the store of DOCMILL_DATABASE_URL and
        DOCMILL_HOME.

        For a server: no answer may take longer than `timeout_seconds`, and what does not arrive, or is refused for
        now, is sent again for up to `retry_seconds`. `database_url` is the former name of `url`."""
        place = choosing.place(url if url is not None else database_url, key)
        self._connection = choosing.connection(place, timeout_seconds, retry_seconds)

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

        `submitter` is the name that `docmill limits` refers to; user@host of this process if None, and over HTTP the
        name of the key. An `exclusive` job runs beside no other of its collection and kind. With `unique`, a job that
        has not ended and does the same is returned, if there is one, and `created` is False.

        Raises InvalidRequestError for an unknown kind, parameter or field, NotFoundError for an unknown collection or
        model, ConflictError for a key that another request has used, NothingToDoError if there is no document to
        take.
        """
        request = requesting.request(
            kind,
            collection,
            model=model,
            parameters=parameters or {},
            priority=priority,
            key=key,
            after=after,
            only_new=only_new,
            where=where,
            corrections=corrections,
            submitter=submitter,
            exclusive=exclusive,
            unique=unique,
        )
        return job.of(self._run(jobs.submit(request)), self._connect)

    def job(self, job_id: int) -> Job:
        """A job by its number. NotFoundError if there is none."""
        found = self._run(jobs.progress_of(job_id))
        return Job(found.job_id, found.n_documents, created=False, _connect=self._connect)

    def jobs(
        self,
        limit: int = 20,
        *,
        kind: str | None = None,
        state: str | None = None,
        collection: str | None = None,
        before: int | None = None,
    ) -> list[JobProgress]:
        """How far the latest jobs are, newest first; those of a kind, a state or a collection. The state may also be
        "open" for every job that has not ended, or "failing" for finished ones with documents that failed. `before` is
        the number of a job: only older ones are listed."""
        return self._run(jobs.newest(limit, kind, state, collection, before))

    def sql(self, query: str, limit: int | None = None) -> list[Row]:
        """The rows of a SELECT, at most `limit`. The query can change nothing and ends after DOCMILL_QUERY_SECONDS.
        InvalidRequestError if the database refuses it, UnsupportedError over HTTP."""
        return self._run(queries.sql(query, limit))

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
        that cannot be written, UnsupportedError over HTTP."""
        request = requesting.export_request(
            what=what,
            to=to,
            to_table=to_table,
            format_=format,
            mode=mode,
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
        return self._run(queries.export(request, tell))

    def models(self, name: str | None = None) -> list[Row]:
        """Every version of every model, or of one, newest first: `model`, `version`, `kind`, `aliases`, `metrics`,
        `gate`, `parameters`, `created_at`, `pruned_at`. NotFoundError if there is no model of this name."""
        return self._run(models.versions(name))

    def promote(self, model: str, *, alias: str = "champion", force: bool = False) -> str:
        """Make a version (NAME@2) the one that an alias stands for. ConflictError if its gate refused it, unless
        `force` is True."""
        return self._run(models.promote(model, alias, force=force))

    def rollback(self, model: str, *, alias: str = "champion") -> str:
        """Let an alias stand for the version before again, and return that version, NAME@1. ConflictError if there
        was none."""
        return self._run(models.rollback(model, alias))

    def nearest_words(self, word: str | Sequence[str], *, n: int = 10, model: str | None = None) -> list[Row]:
        """The words whose vectors are nearest to that of a word, or to the mean direction of several: `rank`, `word`,
        `score`, `count`. `model` is NAME, NAME@VERSION or NAME@ALIAS, made by `train-words`; the only one if None.
        Needs the models folder.

        InvalidRequestError, with words that are spelled alike, for a word that the model does not know, NotFoundError
        for an unknown model, UnsupportedError over HTTP."""
        return self._run(words.nearest(word, n, model))

    def word_analogy(self, a: str, b: str, c: str, *, n: int = 10, model: str | None = None) -> list[Row]:
        """The words that are to `c` as `b` is to `a`, as `nearest_words` gives them."""
        return self._run(words.analogy(a, b, c, n, model))

    def close(self) -> None:
        """Close the connections. The next call opens new ones."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()
