"""The declarative base: how constraints are named, and the column types that both databases share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, Integer, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

from db.sql import Meta as Meta
from db.sql import StateText, UtcDateTime, now
from db.states import (
    BatchPhase,
    Catchup,
    ChunkState,
    DrainLevel,
    Event,
    JobState,
    NightState,
    NotificationState,
    OutcomeState,
    Overlap,
    RequestState,
    RunCause,
    RunState,
    StepState,
    WorkerPhase,
)

#: A JSON value, queried only by docmill itself: analysts' columns are typed.
Json = JSON().with_variant(JSONB(), "postgresql")
#: SQLite numbers rows by itself only in a column declared INTEGER.
BigId = BigInteger().with_variant(Integer(), "sqlite")

Id = Annotated[int, mapped_column(BigId, primary_key=True)]
CreatedAt = Annotated[datetime, mapped_column(UtcDateTime(), insert_default=now())]


class Base(DeclarativeBase):
    """Every table of the store."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it so)
        str: Text(),
        int: BigId,
        datetime: UtcDateTime(),
        dict[str, Any]: Json,
        list[int]: Json,
        list[Any]: Json,
        JobState: StateText(JobState),
        ChunkState: StateText(ChunkState),
        OutcomeState: StateText(OutcomeState),
        NightState: StateText(NightState),
        StepState: StateText(StepState),
        RunState: StateText(RunState),
        RunCause: StateText(RunCause),
        Catchup: StateText(Catchup),
        Overlap: StateText(Overlap),
        NotificationState: StateText(NotificationState),
        Event: StateText(Event),
        WorkerPhase: StateText(WorkerPhase),
        DrainLevel: StateText(DrainLevel),
        RequestState: StateText(RequestState),
        BatchPhase: StateText(BatchPhase),
    }


def tables_of(*bases: type[Base]) -> set[str]:
    """The names of the tables whose classes derive from one of these."""
    return {
        str(mapper.class_.__tablename__)
        for mapper in Base.registry.mappers
        if issubclass(mapper.class_, bases)
    }
