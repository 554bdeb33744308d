"""Which documents are to be removed, batch by batch. A file of which documents are made is known by its key too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from db import files
from db.sql import one_of
from db.tables import Document, ExtractionText


@dataclass(frozen=True)
class Chosen:
    """Documents of one collection: those with these keys, those that meet these conditions, or (neither) all."""

    collection_id: int
    keys: Sequence[str] | None = None
    where: tuple[ColumnElement[bool], ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether these are all documents of the collection, with all its files."""
        return self.keys is None and not self.where


@dataclass(frozen=True, slots=True)
class Keys:
    """A batch: keys of documents or files, and where the next batch begins."""

    keys: Sequence[str]
    next: int


def next_keys(session: Session, chosen: Chosen, start: int, limit: int) -> Keys | None:
    """The batch that begins at `start` (0 for the first); None after the last one."""
    if chosen.keys is not None:
        some = chosen.keys[start : start + limit]
        return Keys(some, start + len(some)) if some else None
    found = _latest(session, chosen.collection_id, chosen.where, start, limit)
    if found is None and chosen.is_whole:
        # After the documents come files of which no document was made.
        of = files.collection_of(session, chosen.collection_id)
        return _latest(session, of, (), start, limit) if of is not None else None
    return found


def _latest(
    session: Session, collection: int, where: tuple[ColumnElement[bool], ...], start: int, limit: int
) -> Keys | None:
    query = select(Document.id, Document.key).where(
        Document.collection_id == collection, Document.is_latest, Document.id > start, *where
    )
    rows = session.execute(query.order_by(Document.id).limit(limit)).all()
    return Keys([row.key for row in rows], rows[-1].id) if rows else None


@dataclass(frozen=True, slots=True)
class Versions:
    """Everything that a batch of keys stands for."""

    #: All versions of the documents, by key.
    documents: dict[str, list[int]]
    #: All versions of the files that have one of the keys, or of which one of the documents was made.
    files: dict[str, list[int]]
    #: Some documents that were made of these files are left for the next call with the same keys, and so are the files.
    is_partial: bool = False

    @property
    def ids(self) -> list[int]:
        return sorted(id_ for of in (self.documents, self.files) for ids in of.values() for id_ in ids)

    def without(self, seen: set[int]) -> Versions:
        """Without versions that were counted before."""
        documents, of_files = (
            {key: left for key, ids in of.items() if (left := [id_ for id_ in ids if id_ not in seen])}
            for of in (self.documents, self.files)
        )
        return Versions(documents, of_files, self.is_partial)


def versions(
    session: Session, collection: int, keys: Sequence[str], most_made: int | None = None
) -> Versions:
    """The documents of these keys, those that were made of files of these keys (at most this many at a time), and the
    files that any of these documents was made of."""
    of = files.collection_of(session, collection)
    asked = list(dict.fromkeys(keys))
    by_key = _by_key(session, of, asked) if of is not None else {}
    found = _by_key(session, collection, asked)
    made = _made_of(session, collection, [id_ for ids in by_key.values() for id_ in ids], most_made)
    if most_made is not None and len(made) > most_made:
        return Versions(found | _by_key(session, collection, made[:most_made]), {}, is_partial=True)
    found |= _by_key(session, collection, made)
    if of is not None:
        by_key |= _origins(session, of, list(found))
    return Versions(found, by_key)


def unknown(session: Session, collection: int, keys: Sequence[str]) -> list[str]:
    """Those of these keys that neither a document nor a file has."""
    of = files.collection_of(session, collection)
    there = {*_by_key(session, collection, keys), *(_by_key(session, of, keys) if of is not None else ())}
    return [key for key in keys if key not in there]


def _by_key(session: Session, collection: int, keys: Sequence[str]) -> dict[str, list[int]]:
    query = select(Document.key, Document.id).where(
        Document.collection_id == collection, Document.version > 0, one_of(Document.key, keys)
    )
    found: dict[str, list[int]] = {}
    for key, id_ in session.execute(query):
        found.setdefault(key, []).append(id_)
    return found


def _made_of(session: Session, collection: int, file_ids: Sequence[int], most: int | None) -> list[str]:
    """The keys of the documents that were made of these files and are still there; at most `most` and one more."""
    if not file_ids:
        return []
    query = (
        select(ExtractionText.text_key)
        .join(Document, (Document.collection_id == collection) & (Document.key == ExtractionText.text_key))
        .where(one_of(ExtractionText.document_id, file_ids), Document.version > 0)
        .distinct()
    )
    return list(session.scalars(query.limit(None if most is None else most + 1)))


def _origins(session: Session, of: int, keys: Sequence[str]) -> dict[str, list[int]]:
    """The files that these documents were made of. A document's key begins with its file's, so that no table has to be
    read whole; only where the key had to be shortened is it looked for."""
    names = {name for key in keys for name in _prefixes(key)}
    made = exists().where(
        ExtractionText.document_id == Document.id, one_of(ExtractionText.text_key, list(keys))
    )
    of_name = Document.collection_id == of, Document.version > 0
    query = select(Document.key).where(*of_name, one_of(Document.key, sorted(names)), made)
    found = set(session.scalars(query)) if names else set()
    if shortened := [key for key in keys if _SHORTENED.search(key)]:
        texts = select(ExtractionText.document_id).where(one_of(ExtractionText.text_key, shortened))
        found |= set(session.scalars(select(Document.key).where(*of_name, Document.id.in_(texts))))
    return _by_key(session, of, sorted(found)) if found else {}


#: A digest in place of the end of a long key, as the kind `extract` writes it.
_SHORTENED = re.compile(r"~[0-9a-f]{16}(~\d+)?$")


def _prefixes(key: str) -> list[str]:
    """What the file of the document of this key may be called: `a.zip!b.pdf~2` may be of the file `a.zip`."""
    return [key, *(key[: mark.start()] for mark in re.finditer("[!~]", key))]
