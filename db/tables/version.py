"""Which code may work on the tables as they are."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base


class Tolerance(Base):
    """One row, written by every upgrade: code that knows the schema `since` or a later one may go on working while the
    store is at `schema_revision`. It counts only if that is the revision that the store has (db.compatibility)."""

    __tablename__ = "tolerance"

    schema_revision: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[str]
