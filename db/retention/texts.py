"""Texts of old versions of documents. The rows stay, with key and version: results and views refer to them."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from db import erased, fulltext, results
from db.retention.policy import OfVersions
from db.retention.steps import Place, Step
from db.sql import now, one_of
from db.states import ENDED
from db.tables import Base, Document, Job


def step(session: Session, rule: OfVersions, after: Place, limit: int, *, really: bool) -> Step:
    """The old versions among the documents of the next range of numbers. Those of a collection over which a job has
    not ended stay: it may have to read them."""
    highest = session.scalar(select(func.max(Document.id))) or 0
    if after.first >= highest:
        return _clean(session, after) if really else Step()
    newer, following = aliased(Document), aliased(Document)
    same = (newer.collection_id == Document.collection_id, newer.key == Document.key)
    n_newer = select(func.count()).where(*same, newer.version > Document.version).scalar_subquery()
    is_old = exists().where(
        following.collection_id == Document.collection_id,
        following.key == Document.key,
        following.version == Document.version + 1,
        following.added_at < now(-rule.older_than),
    )
    is_in_use = exists().where(Job.collection_id == Document.collection_id, Job.state.not_in(ENDED))
    query = select(Document.id).where(
        Document.id > after.first,
        Document.id <= after.first + limit,
        Document.is_latest.is_(False),
        Document.version > 0,
        Document.erased_at.is_(None),
        is_old,
        n_newer >= rule.keep_last,
        ~is_in_use,
    )
    if really:
        erased.alone(session)
    ids = list(session.scalars(query))
    counts = Counter({"texts of old versions": len(ids)})
    if really and ids:
        for name in results.by_model_version():
            table = Base.metadata.tables[name]
            session.execute(delete(table).where(one_of(table.c.document_id, ids)))
        gone = {"text": "", "erased_at": now()}
        session.execute(update(Document).where(one_of(Document.id, ids)).values(gone))
        fulltext.forget(session, ids)
    return Step(+counts, Place(after.first + limit))


def _clean(session: Session, after: Place) -> Step:
    """After the last document, the full text index is written anew once, a part in each step."""
    erased.zero(session)
    is_more = fulltext.clean(session, begin=after.second == 0)
    return Step(next=Place(after.first, 1) if is_more else None)
