"""What exports of changed rows remember. The next export of that name then writes every row, as the first one did."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.retention.policy import OfAge
from db.retention.steps import Place, Step
from db.sql import now
from db.tables import Export, ExportRow


def step(session: Session, rule: OfAge, after: Place, limit: int, *, really: bool) -> Step:  # noqa: ARG001
    """The next export that was last made so long ago, whole: half of its rows would be worth nothing. One that has been
    begun since stays."""
    query = select(Export.id).where(
        Export.id > after.first,
        Export.exported_at < now(-rule.older_than),
        Export.attempt == Export.completed,
    )
    first = query.order_by(Export.id).limit(1)
    export = session.scalar(first.with_for_update(skip_locked=True) if really else first)
    if export is None:
        return Step()
    mine = ExportRow.export_id == export
    counts = Counter({"exports": 1})
    counts["rows of export_row"] = (
        session.scalar(select(func.count()).select_from(ExportRow).where(mine)) or 0
    )
    if really:
        session.execute(delete(ExportRow).where(mine))
        session.execute(delete(Export).where(Export.id == export))
    return Step(+counts, Place(export))
