"""What an export says of itself: a JSON file beside its file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Manifest:
    """One export that was made."""

    #: docmill's version.
    docmill: str
    #: The database's time when the query began.
    made_at: datetime
    what: str
    query: str
    name: str | None
    format: str
    #: The file, or the table without user and password.
    to: str
    n_rows: int
    #: Of changed rows: how many are new, changed and gone. None for a whole export.
    changes: dict[str, int] | None
    #: Size and digest of the file; None for a table.
    n_bytes: int | None
    sha256: str | None
    #: Name and type of each column.
    columns: Sequence[dict[str, str]]
    key: Sequence[str]
    time_zone: str
    #: What the store held: its schema, and the highest numbers of documents and jobs.
    position: dict[str, Any]
    #: What the file does not hold as the store does.
    notes: Sequence[str] = field(default_factory=list)

    def as_json(self) -> str:
        """For people and programs."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2, default=_plain) + "\n"


def path_beside(path: Path) -> Path:
    """Where the manifest of a file is."""
    return path.with_name(f"{path.name}.manifest.json")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
