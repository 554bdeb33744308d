"""The sizes of batches that workers have learnt, kept so that a new worker starts with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.orm import Session

from db.sql import insert_for, now
from db.tables import BatchSize

#: At most this many rows are kept ...
MOST_ROWS = 2000
#: ... give or take these, so that not every write deletes.
SLACK = 50


@dataclass(frozen=True, slots=True)
class Learnt:
    """What is known about batches of documents of one length."""

    most: int
    failed: int | None = None
    settled: bool = False


def known(session: Session, model: str, device: str) -> dict[int, Learnt]:
    """What was learnt about a model on a sort of device, by bucket."""
    query = select(BatchSize).where(BatchSize.model == model, BatchSize.device == device)
    return {row.bucket: Learnt(row.most, row.failed, row.settled) for row in session.scalars(query)}


def remember(session: Session, model: str, device: str, learnt: Mapping[int, Learnt]) -> None:
    """Store what a worker has learnt. What ran out of memory anywhere stays the limit, whoever writes last."""
    before = known(session, model, device)
    for bucket, new in sorted(learnt.items()):
        value = _together(before.get(bucket), new)
        statement = insert_for(session, BatchSize).values(
            model=model, device=device, bucket=bucket, used_at=now(),
            most=value.most, failed=value.failed, settled=value.settled,
        )  # fmt: skip
        fresh = statement.excluded
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["model", "device", "bucket"],
                set_={
                    "most": fresh.most, "failed": fresh.failed, "settled": fresh.settled,
                    "used_at": fresh.used_at,
                },
            )
        )  # fmt: skip
    _prune(session)


def _together(before: Learnt | None, new: Learnt) -> Learnt:
    failures = [each for each in (before.failed if before else None, new.failed) if each is not None]
    failed = min(failures, default=None)
    most = new.most if failed is None else min(new.most, max(1, failed - 1))
    return Learnt(most, failed, new.settled)


def _prune(session: Session) -> None:
    n_rows = session.scalar(select(func.count()).select_from(BatchSize)) or 0
    if n_rows <= MOST_ROWS + SLACK:
        return
    key = (BatchSize.model, BatchSize.device, BatchSize.bucket)
    oldest = session.execute(select(*key).order_by(BatchSize.used_at, *key).limit(n_rows - MOST_ROWS)).all()
    session.execute(
        delete(BatchSize).where(tuple_(*key).in_([tuple(row) for row in oldest])),
        execution_options={"synchronize_session": False},
    )
