"""Collections and their documents."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, CreatedAt, Id, Meta

_NO_META = text("'{}'")


class Collection(Base):
    """A named set of documents; or the files of one, of which its documents are made (db.files). People do not see
    those: such a collection has a name that nobody can type.
    """

    __tablename__ = "collection"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[CreatedAt]
    #: The collection that the texts of these files go to; None for a collection as people know it.
    files_of_id: Mapped[int | None] = mapped_column(ForeignKey("collection.id"), unique=True, index=True)


class Document(Base):
    """One version of one text. A changed text under the same key is a new row; old rows are never changed. Changed
    metadata replaces that of the latest version: results depend on the text alone.
    """

    __tablename__ = "document"
    __table_args__ = (
        UniqueConstraint("collection_id", "key", "version"),
        Index(
            "uq_document_latest",
            "collection_id",
            "key",
            unique=True,
            sqlite_where=text("is_latest"),
            postgresql_where=text("is_latest"),
        ),
        # All that cutting a job into chunks reads, in its order: the long texts stay unread.
        # SQLite uses it for a query with this very condition, which SQLAlchemy spells so.
        Index(
            "ix_document_cut",
            "collection_id",
            "id",
            "body_chars",
            sqlite_where=text("is_latest = 1"),
            postgresql_where=text("is_latest"),
        ),
    )

    id: Mapped[Id]
    collection_id: Mapped[int] = mapped_column(ForeignKey("collection.id"))
    #: Unique in the collection; given by the file's key field, or its path.
    key: Mapped[str]
    version: Mapped[int]
    is_latest: Mapped[bool]
    text: Mapped[str] = mapped_column(deferred=True)
    #: sha256 over text and label: equal means unchanged.
    content_hash: Mapped[bytes]
    body_chars: Mapped[int]
    label: Mapped[str | None]
    #: "file:line" as read, for error messages.
    source: Mapped[str]
    added_at: Mapped[CreatedAt]
    #: The other fields of its record, and what is known of its file (readers.metadata).
    meta: Mapped[dict[str, Any]] = mapped_column(Meta(), server_default=_NO_META, deferred=True)
