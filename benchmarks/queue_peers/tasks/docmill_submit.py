"""Documents into docmill's store (`prepare DOCUMENTS`), and a job over them (submitting.py). A batch is a chunk."""

from __future__ import annotations

import os
import sys

from benchmarks.queue_peers.database import body
from benchmarks.queue_peers.tasks import submitting
from db import documents, jobs, migrations
from db.chunks import ChunkSize
from db.jobs import NewJob
from db.store import Store

COLLECTION = "peers"


def add(_job: int, _n: int, batch: int) -> None:
    """A job over all documents of the collection."""
    store = Store(os.environ["DOCMILL_DATABASE_URL"])
    with store.write() as session:
        collection_id = documents.collection_id(session, COLLECTION)
        jobs.submit(session, NewJob("count-words", {}, collection_id, chunk_size=ChunkSize(batch, 1_000_000)))


def prepare(n: int) -> None:
    """Documents 1 to n."""
    store = Store(os.environ["DOCMILL_DATABASE_URL"])
    migrations.upgrade(store)
    with store.write() as session:
        collection = documents.collection_id(session, COLLECTION, create=True)
    made = (documents.NewDocument(f"k{i}", body(i), None, f"peers:{i}") for i in range(1, n + 1))
    for batch in documents.batches(made):
        with store.write() as session:
            documents.add(session, collection, batch)


if __name__ == "__main__":
    prepare(int(sys.argv[2])) if sys.argv[1] == "prepare" else submitting.submit(add)
