"""How large the store is."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session


def store_bytes(session: Session) -> int:
    """What the store takes on its disk."""
    if session.get_bind().dialect.name == "postgresql":
        return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    return int(session.scalar(text(pages)) or 0)
