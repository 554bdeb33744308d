"""What exports of changed rows have written already."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, Id


class Export(Base):
    """An export by name (`docmill export --changed-since LAST --name NAME`)."""

    __tablename__ = "export"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    #: The query, and the columns that tell its rows apart.
    query: Mapped[str]
    key_columns: Mapped[list[Any]]
    #: The newest attempt to export. An older one can write no more rows.
    attempt: Mapped[int]
    #: The last attempt that was completed; 0 if none was.
    completed: Mapped[int]
    exported_at: Mapped[datetime | None]


class ExportRow(Base):
    """A row as an attempt exported it. What stands is, for each key, the row of the highest attempt that is not above
    `export.completed`."""

    __tablename__ = "export_row"

    export_id: Mapped[int] = mapped_column(ForeignKey("export.id"), primary_key=True)
    #: A hash of the values in the key columns.
    key_hash: Mapped[bytes] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    #: A number of its own in the export, from 0. Those that were seen are noted in a bit each.
    place: Mapped[int]
    #: A hash of all values; NULL once the row is gone.
    row_hash: Mapped[bytes | None]
    #: The values in the key columns, for the row that is written when this one is gone.
    key: Mapped[list[Any]]
