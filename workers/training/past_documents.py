"""The documents that a model version was trained on, as far as the store still has them."""

from __future__ import annotations

from sqlalchemy import select

from db import documents, model_versions
from db.store import Store
from db.tables import Chunk, Job
from nlp_tasks.kind import Documents, Kind
from workers.training.equal_texts import without_equal_texts
from workers.training.stored_documents import StoredDocuments


def of_version(store: Store, kind: Kind, version_id: int) -> Documents:
    """In the order in which its training read them; without those that were removed since, all of them if the job's
    chunks were pruned."""
    with store.read() as session:
        job_id = model_versions.job_of(session, version_id)
        chunks = session.scalars(select(Chunk.document_ids).where(Chunk.job_id == job_id)).all()
        ids = documents.existing(session, sorted(id_ for each in chunks for id_ in each))
        collection_id = session.scalar(select(Job.collection_id).where(Job.id == job_id))
    if kind.labelled_only and collection_id is not None:
        return without_equal_texts(store, ids, collection_id)
    return StoredDocuments(store, ids, with_meta=kind.reads_meta)
