"""The documents of a training over several collections, each text from one collection only.

A text that were both trained on and held out, under two keys, would make a model look better than it is. So a document
whose text the training's own collection has is left out, and that document stays in its part. A given label counts for
both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from db import labels
from db.sql import one_of
from db.store import Store
from db.tables import Document as StoredDocument
from nlp_tasks.kind import Document, Documents
from workers.training.stored_documents import StoredDocuments


@dataclass(frozen=True)
class WithoutEqualTexts:
    """Stored documents, some of them left out, and some with the label that was given to an equal text."""

    stored: StoredDocuments
    labels: Mapping[int, str | None]

    def __len__(self) -> int:
        return len(self.stored)

    def __iter__(self) -> Iterator[Document]:
        for document in self.stored:
            label = self.labels.get(document.id, document.label)
            yield document if label == document.label else replace(document, label=label)


def without_equal_texts(store: Store, ids: Sequence[int], collection_id: int) -> Documents:
    """These documents, with every text from one collection; all of them if they are from one."""
    with store.read() as session:
        query = select(StoredDocument.id).where(
            one_of(StoredDocument.id, ids), StoredDocument.collection_id != collection_id
        )
        elsewhere = set(session.scalars(query))
        given = set(labels.of_documents(session, ids))
    if not elsewhere:
        return StoredDocuments(store, ids)
    same: dict[bytes, list[int]] = {}
    overriding: dict[int, str | None] = {}
    left_out: set[int] = set()
    own = [id_ for id_ in ids if id_ not in elsewhere]
    for document in StoredDocuments(store, own):
        same.setdefault(_digest(document), []).append(document.id)
    for document in StoredDocuments(store, sorted(elsewhere)):
        before = same.setdefault(_digest(document), [])
        if not before:
            before.append(document.id)
            continue
        left_out.add(document.id)
        if document.id in given:
            overriding |= {id_: document.label for id_ in before if id_ not in given}
    return WithoutEqualTexts(StoredDocuments(store, [i for i in ids if i not in left_out]), overriding)


def _digest(document: Document) -> bytes:
    return hashlib.blake2b(document.text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
