"""What the store knows of its views."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base


class ViewDigest(Base):
    """One row: the fingerprint of the views as they were created (db.view_digest)."""

    __tablename__ = "view_digest"

    digest: Mapped[str] = mapped_column(primary_key=True)
