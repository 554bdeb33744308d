"""What is known of a file without opening it, as metadata of the documents that are made of the whole of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from readers.records import shown


def file_facts(path: Path) -> dict[str, Any]:
    """`path`, `modified` (UTC, in seconds) and `size` (bytes); OSError if it is not there."""
    found = path.stat()
    facts: dict[str, Any] = {"path": shown(str(path)), "size": found.st_size}
    with suppress(OverflowError, ValueError, OSError):  # a time that no calendar has
        facts["modified"] = datetime.fromtimestamp(int(found.st_mtime), UTC)
    return facts
