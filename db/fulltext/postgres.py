"""The index on PostgreSQL: a tsvector for each document with a GIN index, counts of words, and lists for frequent ones.

ts_rank knows neither how rare a word is nor how long a document is. So docmill ranks by itself (db.fulltext.ranking),
with counts of words (`search_term`), and from ts_rank comes how often a word occurs in a document. A frequent word may
occur in every third document; reading all of those takes seconds. So the candidates of a frequent word come from a list
of the documents in which it weighs most (db.fulltext.best_lists). Each document also has marks for the words that weigh
much in it (tiered indexes: C. Manning et al., Introduction to Information Retrieval, 7.2.1). The lists are built from
these, and as long as a word has no list, the documents with its highest marks are candidates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.fulltext import best_lists
from db.fulltext.vectors import vector
from db.tables import SearchTotal


def insert(session: Session, documents: Sequence[tuple[int, int, Sequence[str]]]) -> None:
    """Put (document, collection, words) into the index, in which they are not."""
    n_words = sum(len(words) for _, _, words in documents)
    mean = _mean_length(session, len(documents), n_words)
    vectors = [vector(words, collection, mean) for _, collection, words in documents]
    session.connection().exec_driver_sql(
        "INSERT INTO search_document (id, collection_id, n_words, words) "
        "SELECT i, c, n, w::tsvector FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) v(i, c, n, w)",
        (
            [id_ for id_, _, _ in documents],
            [collection for _, collection, _ in documents],
            [len(words) for _, _, words in documents],
            [each.literal for each in vectors],
        ),
    )
    _count(session, Counter(term for each in vectors for term in each.terms))
    _add_to_total(session, len(documents), n_words)
    best_lists.admit(
        session,
        [
            (id_, collection, each.weights)
            for (id_, collection, _), each in zip(documents, vectors, strict=True)
        ],
    )


def forget(session: Session, ids: Sequence[int]) -> None:
    """Take documents out; a word that no other document has is forgotten too."""
    rows = (
        session.connection()
        .exec_driver_sql(
            "DELETE FROM search_document WHERE id = ANY(%s) RETURNING n_words, tsvector_to_array(words)",
            (list(ids),),
        )
        .all()
    )
    if not rows:
        return
    counted = Counter(term for _, terms in rows for term in terms)
    _count(session, Counter({term: -n for term, n in counted.items()}))
    session.connection().exec_driver_sql(
        "DELETE FROM search_term WHERE term = ANY(%s) AND n_documents <= 0", (list(counted),)
    )
    _add_to_total(session, -len(rows), -sum(n for n, _ in rows))
    best_lists.forget(session, ids, counted)


def _count(session: Session, counted: Counter[str]) -> None:
    terms = sorted(counted)
    session.connection().exec_driver_sql(
        "INSERT INTO search_term AS t (term, n_documents) SELECT * FROM unnest(%s::text[], %s::bigint[]) "
        "ON CONFLICT (term) DO UPDATE SET n_documents = t.n_documents + EXCLUDED.n_documents",
        (terms, [counted[term] for term in terms]),
    )


def _add_to_total(session: Session, n_documents: int, n_words: int) -> None:
    session.connection().exec_driver_sql(
        "INSERT INTO search_total AS t (id, n_documents, n_words) VALUES (1, %s, %s) ON CONFLICT (id) DO UPDATE "
        "SET n_documents = t.n_documents + EXCLUDED.n_documents, n_words = t.n_words + EXCLUDED.n_words",
        (n_documents, n_words),
    )


def _mean_length(session: Session, n_documents: int, n_words: int) -> float:
    """The mean number of words of a document, these included."""
    row = session.execute(select(SearchTotal.n_documents, SearchTotal.n_words)).one_or_none()
    before = row if row is not None else (0, 0)
    return max(1.0, (before[1] + n_words) / max(1, before[0] + n_documents))
