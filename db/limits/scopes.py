"""What a limit is about, what it says, and which jobs it holds for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, or_, select

from db.tables import Collection, Job, JobLimit
from db.tables.limit import ANY

#: A night begins at this hour.
NOON = 12


@dataclass(frozen=True, slots=True)
class Scope:
    """Which jobs: those of a collection, of a kind, of a submitter; an empty name stands for all."""

    collection: str = ANY
    kind: str = ANY
    submitter: str = ANY

    @property
    def words(self) -> str:
        """ "kind classify of collection inbox, submitted by kim@host" """
        parts = [f"kind {self.kind}"] if self.kind else []
        parts += [f"collection {self.collection}"] if self.collection else []
        words = " of ".join(parts) or "all jobs"
        return f"{words}{',' if parts else ''} submitted by {self.submitter}" if self.submitter else words

    def has(self, collection: str, kind: str, submitter: str | None) -> bool:
        """Whether a job is in it."""
        return (
            self.collection in (ANY, collection)
            and self.kind in (ANY, kind)
            and self.submitter in (ANY, submitter or ANY)
        )


@dataclass(frozen=True, slots=True)
class Limit:
    """A share and limits; None for what is not limited."""

    #: A job's share of the workers, against 1 of others of its kind and priority.
    weight: float | None = None
    chunks_at_once: int | None = None
    documents_per_minute: int | None = None
    #: From noon to noon in the time zone.
    device_seconds_per_night: int | None = None
    time_zone: str = "UTC"

    @property
    def is_empty(self) -> bool:
        return not any(
            (self.weight, self.chunks_at_once, self.documents_per_minute, self.device_seconds_per_night)
        )


def scope_of(row: JobLimit) -> Scope:
    """The scope of a row."""
    return Scope(row.collection, row.kind, row.submitter)


def limit_of(row: JobLimit) -> Limit:
    """What a row says."""
    return Limit(
        row.weight,
        row.chunks_at_once,
        row.documents_per_minute,
        row.device_seconds_per_night,
        row.time_zone,
    )


def night_from(moment: datetime, time_zone: str) -> datetime:
    """When the night of this moment began: at the last noon."""
    zone = ZoneInfo(time_zone)
    local = moment.astimezone(zone)
    noon = local.replace(hour=NOON, minute=0, second=0, microsecond=0)
    if local < noon:
        noon = (noon.replace(tzinfo=None) - timedelta(days=1)).replace(tzinfo=zone)
    return noon.astimezone(moment.tzinfo)


def holds_for() -> ColumnElement[bool]:
    """The condition that a limit's row holds for a job, both by their tables: of statements that run with every claim,
    the ORM would take the most time."""
    limit, job = JobLimit.__table__.c, Job.__table__.c
    return and_(
        or_(limit.collection == ANY, limit.collection == collection_name()),
        or_(limit.kind == ANY, limit.kind == job.kind),
        or_(limit.submitter == ANY, limit.submitter == job.submitter),
    )


def is_limiting() -> ColumnElement[bool]:
    """The condition that a limit's row says more than a weight."""
    limit = JobLimit.__table__.c
    limited = (limit.chunks_at_once, limit.documents_per_minute, limit.device_seconds_per_night)
    return or_(*(column.is_not(None) for column in limited))


def collection_name() -> ColumnElement[str]:
    """The name of a job's collection as people know it: a job over files has that of their documents."""
    own, known = (Collection.__table__.alias(name) for name in ("own", "known"))
    name: ColumnElement[str] = (
        select(func.coalesce(known.c.name, own.c.name))
        .select_from(own.outerjoin(known, known.c.id == own.c.files_of_id))
        .where(own.c.id == Job.__table__.c.collection_id)
        .correlate(Job.__table__)
        .scalar_subquery()
    )
    return name
