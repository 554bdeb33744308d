"""The summaries of a job, with the text of their documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from db.results import rows_of_documents
from db.tables import Document, Summary, SummarySentence


def of_job(
    session: Session, job_id: int, limit: int | None = None
) -> Iterator[tuple[Row[int, str, str, str, str, dict[str, Any]], list[dict[str, Any]]]]:
    """(document id, key, text, summary, method, metadata) of each document that a job summarized, by document, with the
    rows of its chosen sentences."""
    query = (
        select(Document.id, Document.key, Document.text, Summary.summary, Summary.method, Document.meta)
        .join(Summary, Summary.document_id == Document.id)
        .where(Summary.job_id == job_id)
        .order_by(Document.id)
        .limit(limit)
    )
    for rows in session.execute(query.execution_options(yield_per=50)).partitions():
        ids = [row.id for row in rows]
        chosen = rows_of_documents(session, SummarySentence.__tablename__, ("job_id", job_id), ids)
        for row in rows:
            yield row, chosen.get(row.id, [])
