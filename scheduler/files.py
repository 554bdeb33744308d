"""Files that a job has to read: `docmill add` registers them here, and submits that job.

Which files those are is decided by their content. A file that was read before, with the same bytes, is not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Collection as Several
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import documents, files, selection
from db.documents import BATCH, Added, NewDocument
from db.sql import one_of
from db.store import Store
from db.tables import Collection, Document, Extraction, ExtractionText
from nlp_tasks.extraction.remote_file import registered
from nlp_tasks.extraction.stored_file import StoredFile, digest_of
from readers import BadRecord, ReadOptions, metadata
from readers.admission import read_key
from readers.extraction import EXTRACTOR_VERSION
from readers.extraction.supported import supported
from readers.field_paths import array_of
from readers.file_facts import FACTS, facts_of
from readers.files import OtherFile, unreadable
from readers.metadata import Choice
from readers.records import RefusedError, shown
from readers.remote.finding import as_refused
from readers.remote.objects import RemoteError
from readers.remote.policy import NOTHING, Policy
from scheduler import requests
from scheduler.requests import JobRequest

KIND = "extract"
#: What a file counts for at most when a job is cut into chunks: SQL adds these up as 32-bit numbers.
_MOST_WEIGHT = 1_000_000_000


def file_document(file: OtherFile, remote: Policy) -> NewDocument | None:
    """A file as the store keeps it; None if no job can read it. RefusedError if it cannot be registered. Of an object
    only the first bytes are fetched, unless its storage says nothing of its version."""
    key = read_key(file.name)
    if file.remote is not None:
        try:
            stored = registered(file.remote, remote)
        except RemoteError as error:
            raise as_refused(error) from None
    else:
        stored = _on_disk(file)
    if stored is None:
        return None
    weight = min(stored.size, _MOST_WEIGHT)
    return NewDocument(
        key, stored.as_text(), None, shown(stored.path), identity=stored.identity, weight=weight
    )


def _on_disk(file: OtherFile) -> StoredFile | None:
    try:
        media_type = supported(file.path)
        if media_type is None:
            return None
        str(file.path).encode()
        sha256, size = digest_of(file.path)
    except OSError as error:
        raise unreadable(error) from None
    except UnicodeEncodeError:
        raise RefusedError("UNREADABLE", "the name of its folder is not UTF-8: rename the folder") from None
    return StoredFile(str(file.path), str(file.root), size, sha256, media_type)


def of_records(options: ReadOptions) -> dict[str, Any]:
    """The parameters of the job that make it read records in archives with these options: those that were given."""
    default = ReadOptions()
    names = ("encoding", "key_field", "text_field", "label_field", "delimiter", "markup")
    return {name: value for name in names if (value := getattr(options, name)) != getattr(default, name)}


def choice_inside(options: ReadOptions) -> Choice:
    """Which metadata the documents keep that are made of files. The fields of an array's elements are their own."""
    choice, array = options.meta_choice, array_of(options.key_field)
    if isinstance(choice, bool) or not array:
        return choice
    return tuple((name, field.removeprefix(f"{array}.")) for name, field in choice)


@dataclass(frozen=True)
class FilesReport:
    """What became of the files that a job has to read."""

    n_new: int = 0
    n_changed: int = 0
    #: Their bytes are as they were.
    n_unchanged: int = 0
    #: The job that reads them, and how many it reads; None where there is nothing to read.
    job: int | None = None
    n_to_read: int = 0
    #: Those that jobs which have not ended still have to read, and these jobs.
    n_planned: int = 0
    planned_in: tuple[int, ...] = ()
    #: Those that failed before, and the newest job that says why.
    n_failed_before: int = 0
    failed_in: int | None = None
    #: Those that were read by an older version of the extractor.
    n_outdated: int = 0

    @property
    def n_files(self) -> int:
        return self.n_new + self.n_changed + self.n_unchanged


@dataclass
class FileRegister:
    """Takes files one by one, stores them by the batch, and submits the job at the end."""

    #: Opens the store, creating it if needed; called with the first file.
    make: Callable[[], Store]
    collection: str
    #: Of the job; names and values.
    parameters: dict[str, Any] = field(default_factory=dict)
    #: Read those again that an older version of the extractor has read, and those that failed.
    again: bool = False
    #: Told of each file that cannot be registered.
    refuse: Callable[[BadRecord], None] = lambda bad: None  # noqa: ARG005
    #: Which facts are kept as metadata.
    meta: Choice = True
    #: Which URLs may be read.
    remote: Policy = NOTHING

    def __post_init__(self) -> None:
        self._batch: dict[str, NewDocument] = {}
        self._seen: set[str] = set()
        self._files: int | None = None
        self._opened: Store | None = None
        self._added = Added()
        self._unread: list[int] = []
        self._read: list[int] = []
        self._failed: dict[int, int] = {}

    @property
    def _store_made(self) -> Store:
        assert self._opened is not None
        return self._opened

    def takes(self, file: OtherFile) -> bool:
        """Whether this is a file to be read by a job; then it is registered, or reported."""
        try:
            found = file_document(file, self.remote)
            if found is None:
                return False
            self._take(replace(found, meta=self._facts(file)))
        except OSError as error:
            self.refuse(unreadable(error).at(file.shown))
        except RefusedError as refused:
            self.refuse(refused.at(file.shown))
        return True

    def _take(self, found: NewDocument) -> None:
        if found.key in self._seen:
            raise RefusedError(
                "DUPLICATE_KEY", "an earlier file has the same key: only the first one is taken"
            )
        self._seen.add(found.key)
        self._batch[found.key] = found
        if len(self._batch) == BATCH:
            self._store()

    def register(self) -> FilesReport:
        """Store the rest, and submit nothing."""
        self._store()
        return FilesReport(self._added.n_new, self._added.n_changed, self._added.n_unchanged)

    def _facts(self, file: OtherFile) -> dict[str, Any]:
        """What is known of the file, and what the documents that are made of it keep of themselves."""
        facts = metadata.chosen(facts_of(file), (), self.meta) or {}
        facts |= file.facts
        cleaned = metadata.Cleaning().clean(facts, file.shown)
        if self.meta is True:
            return cleaned
        return cleaned | {files.CHOICE: self.meta and [list(pair) for pair in self.meta]}

    def _store(self) -> None:
        """One transaction for a batch."""
        if not self._batch:
            return
        if self._files is None:
            self._opened = self.make()
            with self._opened.write() as session:
                target = documents.collection_id(session, self.collection, create=True)
                self._files = files.collection_of(session, target, create=True)
        assert self._files is not None
        with self._store_made.write() as session:
            found = files.register(session, self._files, list(self._batch.values()), KIND)
            if found.added.n_meta_changed:
                _pass_on(session, self._files, found.read)
        self._added += found.added
        self._unread += found.unread
        self._read += found.read
        self._failed |= found.failed
        self._batch = {}

    def submit(self) -> FilesReport:
        """Store the rest, and submit the job over what has to be read."""
        self._store()
        if self._files is None:
            return FilesReport()
        with self._store_made.write() as session:
            selection.one_at_a_time(session, self._files)
            outdated = _outdated(session, self._read)
            wanted = {*self._unread}
            if self.again:
                wanted |= {*outdated, *self._failed}
            planned = {
                file: job for file, job in files.planned(session, self._files, KIND).items() if file in wanted
            }
            report = FilesReport(
                self._added.n_new,
                self._added.n_changed,
                self._added.n_unchanged + self._added.n_meta_changed,
                n_planned=len(planned),
                planned_in=tuple(sorted({*planned.values()})),
                n_failed_before=0 if self.again else len(self._failed),
                failed_in=max(self._failed.values(), default=None),
                n_outdated=0 if self.again else len(outdated),
            )
            return self._submitted(session, report, wanted - planned.keys())

    def _submitted(self, session: Session, report: FilesReport, ids: Several[int]) -> FilesReport:
        if not ids:
            return report
        request = JobRequest(KIND, self.collection, parameters=self.parameters)
        job = requests.submit(session, request, document_ids=tuple(sorted(ids)))
        return replace(report, job=job.job_id, n_to_read=job.n_documents)


def _pass_on(session: Session, collection: int, ids: Sequence[int]) -> None:
    """Bring the documents that were made of files up to date with what is known of these files now."""
    target = select(Collection.files_of_id).where(Collection.id == collection).scalar_subquery()
    made = (
        select(ExtractionText.document_id, Document.id, Document.meta)
        .join(Document, Document.key == ExtractionText.text_key)
        .where(one_of(ExtractionText.document_id, ids), Document.collection_id == target, Document.is_latest)
    )
    origins = documents.metas(session, ids)
    wanted = {}
    for origin, document, meta in session.execute(made):
        facts = {name: value for name, value in origins[origin].items() if name != files.CHOICE}
        wanted[document] = {name: value for name, value in meta.items() if name not in FACTS} | facts
    documents.set_meta(session, wanted)


def _outdated(session: Session, ids: list[int]) -> list[int]:
    """Those of these files whose text comes from an older version of the extractor."""
    newest = select(Extraction.document_id, func.max(Extraction.extractor)).group_by(Extraction.document_id)
    found: list[int] = []
    for start in range(0, len(ids), BATCH):
        rows = session.execute(newest.where(one_of(Extraction.document_id, ids[start : start + BATCH])))
        found += [id_ for id_, extractor in rows if extractor < EXTRACTOR_VERSION]
    return found
