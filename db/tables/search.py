"""The full text index: what is indexed, what waits to be, and how often each word occurs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, BigId


class SearchWaiting(Base):
    """A version of a document that came, or is no longer the latest: the index does not know it yet. Triggers on
    `document` write this, so that nothing which changes documents can forget it."""

    __tablename__ = "search_waiting"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)


class SearchDocument(Base):
    """An indexed document. The index over `words` is a GIN index on PostgreSQL, and the virtual table `search_text`
    (FTS5) on SQLite: the migration makes them."""

    __tablename__ = "search_document"

    #: The document's.
    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    collection_id: Mapped[int]
    n_words: Mapped[int]
    #: The words of the text (nlp_tasks.search_words) with their places, and marks for a short list of documents in
    #: which a word weighs much (db.fulltext.postgres).
    words: Mapped[Any] = mapped_column(TSVECTOR().with_variant(Text(), "sqlite"), deferred=True)


class SearchTerm(Base):
    """In how many indexed documents a word occurs. Kept on PostgreSQL only: FTS5 counts by itself."""

    __tablename__ = "search_term"

    term: Mapped[str] = mapped_column(primary_key=True)
    n_documents: Mapped[int]


class SearchTotal(Base):
    """One row: the size of the index. Kept on PostgreSQL only."""

    __tablename__ = "search_total"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    n_documents: Mapped[int]
    n_words: Mapped[int]


class SearchList(Base):
    """A word that is in many documents, and those in which it weighs most. Kept on PostgreSQL only."""

    __tablename__ = "search_list"
    __table_args__ = (Index("ix_search_list_due_at", "due_at"),)

    term: Mapped[str] = mapped_column(primary_key=True)
    #: (document, collection, weight) of each, packed (db.fulltext.best_lists); NULL until the list is built.
    best: Mapped[bytes | None] = mapped_column(deferred=True)
    #: By collection: a document in which the word weighs less is left out. "*" stands for the other collections.
    floors: Mapped[dict[str, Any]]
    #: Rows of `search_posting` that are to go into the list.
    n_postings: Mapped[int]
    #: Documents with the word that were taken out of the index since the list was built or cleaned.
    n_removed: Mapped[int]
    #: Since when the list is to be built, or to be written anew; NULL if it is up to date.
    due_at: Mapped[datetime | None]


class SearchPosting(Base):
    """A document that came since the list of a frequent word was written, and belongs into it. On PostgreSQL only."""

    __tablename__ = "search_posting"

    term: Mapped[str] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(primary_key=True, index=True)
    collection_id: Mapped[int]
    weight: Mapped[float]
