"""Counters that only grow: what happened in this store, whatever was pruned since."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base


class Tally(Base):
    """A share of one counter. The counter is the sum over its shards: writers that commit at the same time seldom wait
    for the same row."""

    __tablename__ = "tally"

    #: db.tallies.Counted
    name: Mapped[str] = mapped_column(primary_key=True)
    #: A kind of jobs; of notifications, the event.
    kind: Mapped[str] = mapped_column(primary_key=True)
    #: What it was: "ok" or an error code, a result table, the cause of a requeue, the state of a job.
    label: Mapped[str] = mapped_column(primary_key=True)
    shard: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int]
