"""The labelled documents of a collection, as they were when a job was submitted (`nlp_tasks.kind.LabelledInput`)."""

from __future__ import annotations

from functools import partial

from db import documents, labels
from db.labels import LabelledVersions
from db.store import Store
from nlp_tasks.kind import Document, LabelledDocuments
from readers import label_text as label_texts


def documents_of(store: Store, collection: str) -> LabelledDocuments:
    """Of NAME@N, as `LabelledVersions.resolve` made it. NotFoundError if there is no such collection."""
    with store.read() as session:
        found = LabelledVersions.resolve(session, collection).labels(session)
        given = labels.of_documents(session, list(found))
    named = {
        id_: label_texts.canonical(given[id_]) if id_ in given else label for id_, label in found.items()
    }
    return LabelledDocuments({id_: label for id_, label in named.items() if label}, partial(_read, store))


def _read(store: Store, ids: list[int]) -> list[Document]:
    with store.read() as session:
        return [
            Document(one.id, one.key, one.text, one.label, meta=one.meta)
            for one in documents.stream(session, ids, with_meta=True)
        ]
