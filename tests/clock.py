"""A store's clock that a test sets.

All of docmill's times come from one SQL expression (`db.sql.now`). Here the statements of a store's connections get a
fixed time in the place of the database's clock; everything else is as it is.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event

from db.store import Store


class Clock:
    """The time that a store, or several, take for now. It stands still until it is set."""

    def __init__(self, *stores: Store, at: datetime) -> None:
        self.now = at
        for store in stores:
            is_sqlite = store.is_sqlite
            event.listen(
                store.engine,
                "before_cursor_execute",
                lambda *call, is_sqlite=is_sqlite: self._told(call[2], call[3], is_sqlite),
                retval=True,
            )

    def set(self, moment: datetime) -> None:
        self.now = moment

    def advance(self, by: timedelta) -> None:
        self.now += by

    def _told(self, statement: str, parameters: Any, is_sqlite: bool) -> tuple[str, Any]:
        moment = self.now.astimezone(UTC)
        if is_sqlite:
            # strftime(FORMAT, 'now', ...)
            said = statement.replace("%f000', 'now'", f"%f000', '{moment:%Y-%m-%d %H:%M:%S.%f}'")
        else:
            said = statement.replace("clock_timestamp()", f"timestamptz '{moment:%Y-%m-%d %H:%M:%S.%f}+00'")
        return said, parameters
