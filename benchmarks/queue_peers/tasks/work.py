"""The task: read texts, count their words, write a row for each in one durable transaction. The key of `result` makes
writing twice harmless.

    PEERS_POSTGRES  what psycopg connects to
"""

from __future__ import annotations

import os
import threading

import psycopg
from psycopg.rows import TupleRow

from benchmarks.queue_peers.tasks import behaviour

#: Of jobs that are added with one message, where a queue has such a message.
ADDED_AT_ONCE = 1_000

_READ = "SELECT document, body FROM peer_document WHERE document = ANY(%s)"
_WRITE = """
    INSERT INTO peer_result (job, document, words) SELECT %s, * FROM unnest(%s::bigint[], %s::integer[])
    ON CONFLICT (job, document) DO UPDATE SET words = excluded.words
"""
_of_thread = threading.local()


def run(job: int, documents: list[int]) -> None:
    """Work on these documents; raises if one of them does, or if the database is away."""
    try:
        connection = _connection()
        found = dict(connection.execute(_READ, (documents,)).fetchall())
        words = []
        for document in documents:
            behaviour.before(document)
            words.append(len(found[document].split()))
        connection.execute(_WRITE, (job, documents, words))
    except psycopg.OperationalError:
        _forget()
        raise
    behaviour.written(documents)


def batches(n: int, size: int) -> list[list[int]]:
    """Documents 1 to n."""
    return [list(range(start, min(start + size, n + 1))) for start in range(1, n + 1, size)]


def name(documents: list[int]) -> str:
    """What a queue calls a job, so that its document can be found in it: by its first."""
    return f"document-{documents[0]}-"


def _connection() -> psycopg.Connection[TupleRow]:
    """The thread's own; every statement is a transaction."""
    if not hasattr(_of_thread, "connection"):
        _of_thread.connection = psycopg.connect(os.environ["PEERS_POSTGRES"], autocommit=True)
    connection: psycopg.Connection[TupleRow] = _of_thread.connection
    return connection


def _forget() -> None:
    """The next task connects anew."""
    if hasattr(_of_thread, "connection"):
        _of_thread.connection.close()
        del _of_thread.connection
