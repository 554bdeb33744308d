"""The labels that a job gave, with their documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, exists, select
from sqlalchemy.orm import Session

from db.results import rows_of_documents
from db.tables import Classification, Document, LabelTerm

_Rows = list[dict[str, Any]]


def of_job(
    session: Session, job_id: int, limit: int | None = None
) -> Iterator[tuple[Row[int, str, str, dict[str, Any]], _Rows, _Rows]]:
    """(document id, key, text, metadata) of each document that a job classified, by document, with the rows of its
    labels and of its terms."""
    classified = exists().where(Classification.job_id == job_id, Classification.document_id == Document.id)
    query = (
        select(Document.id, Document.key, Document.text, Document.meta)
        .where(classified)
        .order_by(Document.id)
        .limit(limit)
    )
    for rows in session.execute(query.execution_options(yield_per=50)).partitions():
        ids = [row.id for row in rows]
        labels, terms = (
            rows_of_documents(session, table.__tablename__, ("job_id", job_id), ids)
            for table in (Classification, LabelTerm)
        )
        for row in rows:
            yield row, labels.get(row.id, []), terms.get(row.id, [])
