"""What a client does with documents, collections and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any, TypeVar

from docmill.client import addition
from docmill.client.choosing import Connection
from docmill.client.operations import documents
from docmill.client.operations.description import Operation
from readers import ReadOptions
from readers.frames import Records
from scheduler.adding import Report, Tell
from scheduler.removing import Removed
from scheduler.removing import Tell as TellRemoved
from scheduler.search import SearchRequest

T = TypeVar("T")
Row = dict[str, Any]


class DocumentMethods:
    """The part of `Client` that is about documents."""

    _connection: Connection

    def add(
        self,
        *what: str | PathLike[str] | Records,
        collection: str,
        options: ReadOptions | None = None,
        tell: Tell | None = None,
        extract: Mapping[str, Any] | None = None,
        extract_again: bool = False,
    ) -> Report:
        """Add documents to a collection, which is created if it does not exist: files and folders by their paths, or
        one object that holds records.

        A path may be a pattern (`in/**/*.{pdf,txt}`), or a URL of storage that DOCMILL_REMOTE_FILES allows. Files that
        have to be parsed (PDF, HWP, office files, web pages, mail, archives) are registered, and an extract job with
        the parameters `extract` makes documents of them: `Report.files.job` is its number. With `extract_again` it
        also takes those that failed or that an older extractor read. Over HTTP such files are in `Report.bad`: the
        workers read them from a folder that they reach, where `docmill add` registers them.

        Records have `id`, `text` and, for training, `label`; `options` names other fields. All others are metadata.
        The object is any iterable of dictionaries (a list, a generator), a DataFrame of pandas or polars, an Arrow
        table or RecordBatchReader, or any other object with `__arrow_c_stream__`. Generators and readers are read batch
        by batch. None, NaN, NaT and NA are missing values; dates become text in ISO 8601.

        Unchanged documents are skipped; changed ones become a new version. What cannot be read is in `Report.bad`
        with file and line, or the number of the record, from 1. `tell` is called after each batch with what is stored
        and the number of bad records. Each batch is stored for good: after an interruption, the same call adds the
        rest. The store is created if there is none.
        """
        return self._connect().add(
            addition.of(what, collection, options, tell, extract, extract_again=extract_again)
        )

    def add_records(
        self,
        records: Records,
        *,
        collection: str,
        options: ReadOptions | None = None,
        tell: Tell | None = None,
    ) -> Report:
        """`add` for one object that holds records."""
        return self._connect().add(addition.of_records(records, collection, options, tell))

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
        """As `add` of records, for the rows of a SELECT on another database, which are streamed in a read-only
        transaction. `database` is a URL, or env:NAME for the variable that holds it; `values` are those of `:names` in
        the query. InvalidRequestError if the database refuses it, ConnectionError if it does not answer."""
        return self._connect().add(addition.of_query(sql, database, values, collection, options, tell))

    def labels(self, collection: str | None = None, limit: int | None = None) -> Iterator[Row]:
        """The labels that people gave, of one collection or all: `collection`, `document_key`, `rank`, `label`,
        `source`, `given_at`. A label of None says that none applies. NotFoundError if there is no such collection."""
        return self._connect().rows(documents.labels(collection, limit))

    def set_label(self, key: str, label: str, *, collection: str | None = None) -> None:
        """Give a document a label, which then overrides a model's and is used by the next training; a JSON list for
        several, "[]" for none. `collection` is needed only if several have a document with this key."""
        self._run(documents.set_label(key, label, collection))

    def remove_label(self, key: str, *, collection: str | None = None) -> None:
        """Take back the labels that a document was given. NotFoundError if there are none."""
        self._run(documents.remove_label(key, collection))

    def collections(self) -> list[Row]:
        """Every collection, by name: `collection`, `created_at`."""
        return self._run(documents.collections())

    def collection(self, name: str) -> Row:
        """A collection: `collection`, `created_at`, `n_documents`. NotFoundError if there is none of this name."""
        return self._run(documents.collection(name))

    def documents(
        self, collection: str, *, where: str | None = None, limit: int | None = None
    ) -> Iterator[Row]:
        """The documents of a collection in their latest versions, without their texts: `document_key`, `version`,
        `body_chars`, `label`, `source`, `added_at`, `meta`. With `where`, those whose metadata it selects."""
        return self._connect().rows(documents.listing(collection, where, limit))

    def document(self, key: str, *, collection: str | None = None) -> Row:
        """One document in its latest version, with its `text`, `meta`, the labels that it was given (`given_labels`),
        and its `outcomes`, newest job first. NotFoundError if there is none, or if several collections have this key
        and `collection` is None."""
        return self._run(documents.facts(key, collection))

    def search(
        self,
        query: str,
        *,
        collection: str | None = None,
        where: str | None = None,
        limit: int = 10,
        offset: int = 0,
        hybrid: bool = False,
    ) -> list[Row]:
        """The latest documents that answer a query of words, the best first: `rank`, `document_key`, `collection`,
        `score`, `label`, `body_chars`, `added_at`, `excerpt`, and `marks`, the (start, end) of the query's words in the
        excerpt. `hybrid` combines the words with the vectors of the newest similarity job. The language of the query
        is in docs/search.md. InvalidRequestError for one that cannot be read."""
        request = SearchRequest(query, collection, where, limit, offset, hybrid)
        return self._run(documents.search(request))

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
        return self._run(documents.remove(keys, collection, where, tell, dry_run=dry_run))

    def remove_collection(
        self, name: str, *, dry_run: bool = True, tell: TellRemoved | None = None
    ) -> Removed:
        """As `remove`, for a collection with all its documents and files."""
        return self._run(documents.remove_collection(name, tell, dry_run=dry_run))

    def rename_collection(self, name: str, new: str) -> None:
        """Give a collection another name, also in schedules. ConflictError if the name is taken."""
        self._run(documents.rename_collection(name, new))

    def _connect(self) -> Connection:
        return self._connection

    def _run(self, operation: Operation[T]) -> T:
        return self._connect().run(operation)
