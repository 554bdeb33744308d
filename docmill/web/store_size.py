"""How large the store is, and what room is left beside it. Measured at most once a minute."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.store import Store

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes."""

    used: int
    #: None where the store is on another machine.
    free: int | None


class StoreSize:
    """The last measurement. Safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._found = Size(0, None)
        self._measured_at: float | None = None

    def of(self, session: Session) -> Size:
        """The size now, or a minute ago."""
        with self._lock:
            if self._measured_at is not None and time.monotonic() - self._measured_at < SECONDS:
                return self._found
            self._found, self._measured_at = self._measure(session), time.monotonic()
            return self._found

    def _measure(self, session: Session) -> Size:
        if not self._store.is_sqlite:
            return Size(int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0), None)
        file = self._store.file
        if file is None:
            return Size(0, None)
        beside = [file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))]
        return Size(
            sum(one.stat().st_size for one in beside if one.exists()), shutil.disk_usage(file.parent).free
        )
