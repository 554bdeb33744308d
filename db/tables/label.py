"""Labels that somebody gave, beside those that came with the documents and those that models give."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.sql import now
from db.tables.base import Base


class GivenLabel(Base):
    """A label of a document key, whichever version of its text is the latest. It takes precedence over the label of the
    document's file and before every model's. Several labels have ranks from 1; a NULL label says: none applies."""

    __tablename__ = "given_label"

    collection_id: Mapped[int] = mapped_column(ForeignKey("collection.id"), primary_key=True)
    document_key: Mapped[str] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str | None]
    #: "human" for `docmill label set`, else "file:line" or "sql".
    source: Mapped[str]
    given_at: Mapped[datetime] = mapped_column(insert_default=now())
