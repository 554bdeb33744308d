"""UPDATE statements that change a row only if it still is as expected, and whether they did."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CursorResult, Delete, Update
from sqlalchemy.orm import Session


def changed(session: Session, statement: Update) -> bool:
    """Run the UPDATE of one row; whether the row was as expected and has been changed."""
    return n_changed(session, statement) == 1


def n_changed(session: Session, statement: Update | Delete) -> int:
    """Run an UPDATE or a DELETE; returns how many rows it changed."""
    result: CursorResult[Any] = session.execute(  # type: ignore[assignment]
        statement, execution_options={"synchronize_session": False}
    )
    return int(result.rowcount)
