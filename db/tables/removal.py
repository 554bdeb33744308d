"""Removals of documents: what was removed and when, never which keys or texts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, CreatedAt, Id


class Removal(Base):
    """One removal from one collection. The batches count what they removed; it ends when no list of neighbours names a
    removed document any more. One that was interrupted is ended by the next removal, or the next pass of retention."""

    __tablename__ = "removal"

    id: Mapped[Id]
    collection_id: Mapped[int] = mapped_column(ForeignKey("collection.id"))
    #: Keys that were removed; all versions of a key count once.
    n_documents: Mapped[int] = mapped_column(insert_default=0)
    #: Registered files that were removed.
    n_files: Mapped[int] = mapped_column(insert_default=0)
    #: Result rows, labels and references that were deleted.
    n_rows: Mapped[int] = mapped_column(insert_default=0)
    started_at: Mapped[CreatedAt]
    ended_at: Mapped[datetime | None]
