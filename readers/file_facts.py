"""What is known of a file without opening it, as metadata of the documents that are made of the whole of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from readers.files import DocumentFile, OtherFile
from readers.records import shown
from readers.remote.objects import RemoteObject


def facts_of(file: DocumentFile | OtherFile) -> dict[str, Any]:
    """The same of a file that is read, or of the object that it is a copy of; nothing of stdin."""
    if file.remote is not None:
        return object_facts(file.remote)
    is_copy = isinstance(file, DocumentFile) and file.is_copy
    return {} if is_copy else file_facts(file.path)


def object_facts(found: RemoteObject) -> dict[str, Any]:
    """The same of an object: `path` is its URL."""
    facts: dict[str, Any] = {"path": shown(found.url), "size": found.size}
    return facts | ({"modified": found.modified} if found.modified else {})


#: Their names.
FACTS = ("path", "modified", "size")


def file_facts(path: Path) -> dict[str, Any]:
    """`path`, `modified` (UTC, in seconds) and `size` (bytes); OSError if it is not there."""
    found = path.stat()
    facts: dict[str, Any] = {"path": shown(str(path)), "size": found.st_size}
    with suppress(OverflowError, ValueError, OSError):  # a time that no calendar has
        facts["modified"] = datetime.fromtimestamp(int(found.st_mtime), UTC)
    return facts
