"""The requests of a batch: its lines, and the groups of lines that are a job each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session

from db import bulk
from db.sql import one_of
from db.states import OutcomeState
from db.tables import Outcome, RequestGroup, RequestLine


def add_lines(session: Session, batch_id: int, lines: Sequence[tuple[int, str, str]]) -> None:
    """(number, custom_id, key) of some lines. No key may be there yet."""
    rows = [
        {"batch_id": batch_id, "line": line, "custom_id": custom_id, "key": key}
        for line, custom_id, key in lines
    ]
    if rows:
        bulk.insert_rows(session, RequestLine.__table__, rows)  # type: ignore[arg-type]


def groups(session: Session, batch_id: int) -> list[RequestGroup]:
    """Its groups, by number."""
    query = select(RequestGroup).where(RequestGroup.batch_id == batch_id)
    return list(session.scalars(query.order_by(RequestGroup.number)))


def lines(session: Session, batch_id: int, after: int, limit: int) -> list[RequestLine]:
    """Some lines, after one."""
    query = select(RequestLine).where(RequestLine.batch_id == batch_id, RequestLine.line > after)
    return list(session.scalars(query.order_by(RequestLine.line).limit(limit)))


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a line: the documents of a group, or an error."""

    line: int
    group: int | None = None
    document_ids: Sequence[int] | None = None
    error: Mapping[str, Any] | None = None


def settle(session: Session, batch_id: int, settled: Sequence[Settled]) -> None:
    """Note what became of some lines."""
    table: Table = RequestLine.__table__  # type: ignore[assignment]
    statement = (
        update(table)
        .where(table.c.batch_id == batch_id, table.c.line == bindparam("b_line"))
        .values(
            group_number=bindparam("b_group"),
            document_ids=bindparam("b_documents"),
            error=bindparam("b_error"),
        )
    )
    rows = [
        {
            "b_line": each.line,
            "b_group": each.group,
            "b_documents": None if each.document_ids is None else list(each.document_ids),
            "b_error": None if each.error is None else dict(each.error),
        }
        for each in settled
    ]
    if rows:
        session.execute(statement, rows)


def documents_of(session: Session, batch_id: int, group: int) -> list[int]:
    """The documents of a group's lines."""
    query = select(RequestLine.document_ids).where(
        RequestLine.batch_id == batch_id, RequestLine.group_number == group
    )
    return [id_ for ids in session.scalars(query.order_by(RequestLine.line)) for id_ in ids or ()]


def outcomes(session: Session, job_id: int, document_ids: Sequence[int]) -> dict[int, tuple[str, str] | None]:
    """For each of these documents that has an outcome in the job: None, or the code and detail of its error."""
    query = select(Outcome.document_id, Outcome.state, Outcome.error_code, Outcome.error_detail).where(
        Outcome.job_id == job_id, one_of(Outcome.document_id, document_ids)
    )
    return {
        id_: None if state == OutcomeState.OK else (str(code), detail or "")
        for id_, state, code, detail in session.execute(query)
    }
