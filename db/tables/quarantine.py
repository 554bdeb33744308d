"""Documents that were released from quarantine. Outcomes never change, so a release is a separate row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base


class Release(Base):
    """Outcomes of this document in jobs of this kind that are not newer count as quarantine no more."""

    __tablename__ = "release"

    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    released_at: Mapped[datetime]
