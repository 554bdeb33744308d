"""Summaries beside the references they are judged by, and how the judging came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, exists, func, select
from sqlalchemy.orm import Session

from db import bulk, erased
from db.sql import one_of
from db.tables import Base, Document, Summary, SummaryReference, SummaryScore

_BATCH = 2_000
_REFERENCES = Base.metadata.tables[SummaryReference.__tablename__]


@dataclass(frozen=True)
class Means:
    """The mean scores of one evaluation."""

    n_documents: int
    rouge_1: float
    rouge_2: float
    rouge_l: float


def add_references(
    session: Session, name: str, collection_id: int, references: Sequence[tuple[str, str]]
) -> int:
    """Store (document key, reference) pairs as the set `name`; returns how many of the keys the collection has.
    What the set has already stays: adding the same again changes nothing."""
    n_known = 0
    erased.together(session)
    for start in range(0, len(references), _BATCH):
        texts = dict(references[start : start + _BATCH])
        ids = session.execute(
            select(Document.key, Document.id).where(
                Document.collection_id == collection_id, Document.is_latest, one_of(Document.key, list(texts))
            )
        ).all()
        rows = [(id_, texts[key]) for key, id_ in ids]
        n_known += len(rows)
        if rows:
            bulk.insert_tuples(
                session,
                _REFERENCES,
                ("document_id", "reference"),
                rows,
                owner=("name", name),
                skip_existing=True,
            )
    return n_known


def has_references(session: Session, name: str) -> bool:
    """Whether the set `name` holds any."""
    return session.scalar(select(exists().where(SummaryReference.name == name))) or False


def judged(
    session: Session, job_id: int, references: str, document_ids: Sequence[int]
) -> dict[int, tuple[str, str | None]]:
    """(summary, reference in the set `references`) of each of the documents that the job summarized."""
    in_set = and_(SummaryReference.document_id == Summary.document_id, SummaryReference.name == references)
    rows = session.execute(
        select(Summary.document_id, Summary.summary, SummaryReference.reference)
        .outerjoin(SummaryReference, in_set)
        .where(Summary.job_id == job_id, one_of(Summary.document_id, list(document_ids)))
    )
    return {id_: (summary, reference) for id_, summary, reference in rows}


def means(session: Session, job_id: int) -> Means | None:
    """The mean scores that an evaluation has found; None for none."""
    columns = (SummaryScore.rouge_1, SummaryScore.rouge_2, SummaryScore.rouge_l)
    row = session.execute(
        select(func.count(), *(func.avg(column) for column in columns)).where(SummaryScore.job_id == job_id)
    ).one()
    return Means(row[0], *row[1:]) if row[0] else None
