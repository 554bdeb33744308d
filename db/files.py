"""Files whose texts are documents: a collection's files are rows of `document` in a collection beside it.

So chunks, claims, outcomes, versions and quarantine hold for files as they do for documents. The text of such a row
says where the file is; its versions are told apart by the digest of the file's bytes. Does not know file formats, and
no kind of job that reads them.
"""

from __future__ import annotations

from collections.abc import Collection as Collection_
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import exists, func, select, true, update
from sqlalchemy.orm import Session

from db import documents
from db.documents import BATCH, Added, NewDocument
from db.sql import each_id, one_of
from db.tables import Chunk, Collection, Document, ExtractionText, Job, Outcome
from readers.metadata import chosen

#: After a collection's name. The space is one that no name of people's may hold.
SUFFIX = "\u00a0files"
#: In a file's metadata, the choice of what documents made of it keep (readers.metadata.Choice). No field of people's
#: has an empty name.
CHOICE = ""
#: Errors that say nothing about what is in a file: it is tried again when it is added again.
PASSING = ("CANCELLED", "FILE_MISSING", "FILE_CHANGED", "FILE_UNREADABLE")


def collection_of(session: Session, target: int, *, create: bool = False) -> int | None:
    """The collection of a collection's files; None if it has none."""
    known = select(Collection.id).where(Collection.files_of_id == target)
    found = session.scalar(known)
    if found is not None or not create:
        return found
    # Two that make it take turns.
    name = session.scalars(
        select(Collection.name).where(Collection.id == target).with_for_update(key_share=True)
    ).one()
    found = session.scalar(known)
    if found is None:
        made = Collection(name=f"{name}{SUFFIX}", files_of_id=target)
        session.add(made)
        session.flush()
        found = made.id
    return found


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of a batch of files, and of each in the jobs of one kind."""

    added: Added
    #: No job gave them an outcome that is about what is in them: to be read.
    unread: Sequence[int]
    #: A job gave them their texts.
    read: Sequence[int]
    #: They failed, by the job that said so; reading them again would say the same.
    failed: dict[int, int]


def register(session: Session, files: int, batch: Sequence[NewDocument], kind: str) -> Registered:
    """Store files (keys unique, at most BATCH). One that lies elsewhere now, with the same bytes, is registered anew
    if a job of this kind still has to read it."""
    before = _states(session, files, batch, kind)
    moved = {
        file.key
        for file in batch
        if (known := before.get(file.key))
        and known.is_to_be_read
        and known.content_hash == file.content_hash
        and known.text != file.text
    }
    added = documents.add(session, files, batch, anew=moved)
    # Under the lock that `add` took: nobody adds to this collection now.
    states = _states(session, files, batch, kind).values()
    return Registered(
        replace(added, n_changed=added.n_changed - len(moved), n_unchanged=added.n_unchanged + len(moved)),
        unread=[state.id for state in states if state.is_to_be_read],
        read=[state.id for state in states if state.is_read],
        failed={state.id: state.failed_in for state in states if state.failed_in and not state.is_read},
    )


@dataclass(frozen=True, slots=True)
class _State:
    """The latest version of a file, and whether jobs of a kind have read it."""

    id: int
    text: str
    content_hash: bytes
    is_read: bool
    failed_in: int | None

    @property
    def is_to_be_read(self) -> bool:
        """No job gave it an outcome that is about what is in it."""
        return not self.is_read and self.failed_in is None


def _states(session: Session, files: int, batch: Sequence[NewDocument], kind: str) -> dict[str, _State]:
    of_kind = exists().where(Job.id == Outcome.job_id, Job.kind == kind)
    read = exists().where(Outcome.document_id == Document.id, Outcome.state == "ok", of_kind)
    failed_in = (
        select(func.max(Outcome.job_id))
        .where(
            Outcome.document_id == Document.id,
            Outcome.state == "error",
            Outcome.error_code.not_in(PASSING),
            of_kind,
        )
        .scalar_subquery()
    )
    rows = session.execute(
        select(Document.key, Document.id, Document.text, Document.content_hash, read, failed_in).where(
            Document.collection_id == files,
            Document.is_latest,
            one_of(Document.key, [file.key for file in batch]),
        )
    )
    return {key: _State(*rest) for key, *rest in rows}


def made_of(session: Session, files: int, keys: Collection_[str]) -> set[str]:
    """The keys of the documents that were made of the files with these keys."""
    query = (
        select(Document.key, ExtractionText.text_key)
        .join(ExtractionText, ExtractionText.document_id == Document.id)
        .where(Document.collection_id == files)
    )
    return {text_key for key, text_key in session.execute(query) if key in keys}


def planned(session: Session, files: int, kind: str) -> dict[int, int]:
    """The files that a job of this kind which has not ended still has to read, each with that job."""
    table, id_ = each_id(Chunk.document_ids)
    is_done = exists().where(Outcome.job_id == Chunk.job_id, Outcome.document_id == id_)
    query = (
        select(id_.label("id"), Chunk.job_id)
        .select_from(Chunk)
        .join(Job, Job.id == Chunk.job_id)
        .join(table, true())
        .where(
            Job.collection_id == files,
            Job.kind == kind,
            Job.state.in_(("waiting", "running", "paused")),
            Chunk.state != "closed",
            ~is_done,
        )
    )
    return {row.id: row.job_id for row in session.execute(query)}


def add_made(
    session: Session, collection: int, made: Sequence[tuple[int, NewDocument]], job_id: int | None = None
) -> None:
    """Store documents that were made of a collection's documents, each given with its origin's id: those made of files
    go to the collection whose files they are, and the rows of the job say which version they became. What was made of
    an outdated version is left out: it would undo what came of the latest one."""
    target = session.scalar(select(Collection.files_of_id).where(Collection.id == collection)) or collection
    for batch in _batches(made):
        # The lock comes first: no newer version can be registered from here on.
        session.execute(
            select(Collection.id).where(Collection.id == collection).with_for_update(key_share=True)
        )
        origins = sorted({origin for origin, _ in batch})
        current = set(
            session.scalars(select(Document.id).where(one_of(Document.id, origins), Document.is_latest))
        )
        facts = documents.metas(session, sorted(current))
        made_now = [
            replace(document, meta=inherited(facts[origin], document.meta))
            for origin, document in batch
            if origin in current
        ]
        documents.add(session, target, made_now)
        if job_id is not None:
            _note_versions(session, job_id, sorted(current), target, [each.key for each in made_now])


def _note_versions(
    session: Session, job_id: int, origins: Sequence[int], target: int, keys: Sequence[str]
) -> None:
    """Which version of its document each text became. Under the lock that `documents.add` took."""
    version = (
        select(Document.version)
        .where(Document.collection_id == target, Document.key == ExtractionText.text_key, Document.is_latest)
        .scalar_subquery()
    )
    session.execute(
        update(ExtractionText)
        .where(
            ExtractionText.job_id == job_id,
            one_of(ExtractionText.document_id, origins),
            one_of(ExtractionText.text_key, keys),
        )
        .values(text_version=version)
    )


def inherited(origin: Mapping[str, Any], own: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The metadata of a document that is made of another: what is known of that, and of itself. Of its own it keeps
    what its origin's CHOICE says."""
    choice = origin.get(CHOICE, True)
    own = own or {}
    if choice is False:
        return None
    if choice is not True:
        own = chosen(dict(own), (), choice) or {}
    return {**{name: value for name, value in origin.items() if name != CHOICE}, **own}


def _batches(
    made: Iterable[tuple[int, NewDocument]],
) -> Iterator[list[tuple[int, NewDocument]]]:
    """Batches with no key twice."""
    batch: dict[str, tuple[int, NewDocument]] = {}
    for origin, document in made:
        if len(batch) == BATCH or document.key in batch:
            yield list(batch.values())
            batch = {}
        batch[document.key] = (origin, document)
    if batch:
        yield list(batch.values())
