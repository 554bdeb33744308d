"""What workers have learnt about their devices: how many documents fit into a batch, and which device failed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base


class BatchSize(Base):
    """How many documents of about one length a model takes together on a sort of device. The number of rows is
    bounded: those that were not used for longest are deleted."""

    __tablename__ = "batch_size"
    __table_args__ = (Index("ix_batch_size_used_at", "used_at"),)

    #: The kind, the stage, the model version and a digest of the parameters, for people: "classify label topics@3
    #: 1a2b3c4d".
    model: Mapped[str] = mapped_column(primary_key=True)
    #: "NVIDIA H100 80GB HBM3"; with the worker's share of it if several workers share one.
    device: Mapped[str] = mapped_column(primary_key=True)
    #: Of documents shorter than 2 to the power of this, in characters.
    bucket: Mapped[int] = mapped_column(primary_key=True)
    #: At most this many documents in a batch.
    most: Mapped[int]
    #: The smallest number that ran out of memory; NULL if that never happened.
    failed: Mapped[int | None]
    #: Whether larger batches were tried, and were not faster.
    settled: Mapped[bool]
    used_at: Mapped[datetime]


class DeviceFault(Base):
    """A device that failed, and rests until it is tried again. The row goes when the device works again, or when its
    launcher stops."""

    __tablename__ = "device_fault"
    __table_args__ = (Index("ix_device_fault_seen_at", "seen_at"),)

    #: The worker's instance, as in the table worker.
    instance: Mapped[str] = mapped_column(primary_key=True)
    #: For people: "cuda-0@host".
    worker: Mapped[str]
    host: Mapped[str]
    #: "NVIDIA H100 80GB HBM3"
    model: Mapped[str]
    fault: Mapped[str]
    #: How often in a row it was at fault.
    n_failures: Mapped[int]
    failed_at: Mapped[datetime]
    retry_at: Mapped[datetime]
    #: When its launcher last said so.
    seen_at: Mapped[datetime]
