"""What nights and jobs changed: counted once, after they have ended, so that pages need not count it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base

_IS_UNCOUNTED = text("counted_at IS NULL")


class RunGrowth(Base):
    """How large the store was when a run ended, and what had come in since the run of the schedule before."""

    __tablename__ = "run_growth"
    __table_args__ = (
        Index(
            "ix_run_growth_uncounted", "run_id", sqlite_where=_IS_UNCOUNTED, postgresql_where=_IS_UNCOUNTED
        ),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True, autoincrement=False)
    store_bytes: Mapped[int]
    #: The newest version of a document.
    newest_document_id: Mapped[int]
    #: Versions of documents that came in; as many as are counted so far. NULL for the first run of a schedule.
    n_added: Mapped[int | None]
    #: Counted up to this one.
    counted_to: Mapped[int]
    counted_at: Mapped[datetime | None]


class LabelMoves(Base):
    """How many documents of a job got another label than from the job before that labelled them."""

    __tablename__ = "label_moves"
    __table_args__ = (
        Index(
            "ix_label_moves_uncounted", "job_id", sqlite_where=_IS_UNCOUNTED, postgresql_where=_IS_UNCOUNTED
        ),
    )

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True, autoincrement=False)
    #: Documents that had a label of an earlier job, under the same key; and those of them that got another one.
    n_compared: Mapped[int]
    n_moved: Mapped[int]
    #: Counted up to this document.
    counted_to: Mapped[int]
    counted_at: Mapped[datetime | None]
