"""A TAR archive of documents, read in a stream: each file is a member. Nothing is written to disk."""

from __future__ import annotations

import tarfile
from typing import Any

from readers.extraction.context import Context
from readers.extraction.formats.zip import is_ignored
from readers.extraction.limits import too_large
from readers.extraction.records import ExtractionError, Member
from readers.extraction.source import Source
from readers.extraction.writer import Writer


def read(source: Source, out: Writer, context: Context) -> None:
    """All files in the order of the archive; links and devices are no documents."""
    with source.open() as stream:
        read_stream(stream, out, context)


def read_stream(stream: Any, out: Writer, context: Context) -> None:
    """The same of a stream that cannot seek. A cut archive yields its whole files and a warning."""
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for entry in archive:
                context.budget.tick()
                if entry.isfile() and not is_ignored(entry.name):
                    out.members.append(_member(archive, entry, context))
                archive.members = []  # type: ignore[attr-defined]  # tarfile would keep every entry
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        if not out.members:
            raise ExtractionError("CORRUPT", f"the TAR archive is damaged or cut: {error}") from error
        out.warn("TRUNCATED", f"the TAR archive is damaged after {len(out.members)} files: {error}")
    except ExtractionError as error:
        if error.code != "CORRUPT" or not out.members:
            raise
        out.warn("TRUNCATED", f"the archive is damaged after {len(out.members)} files: {error.detail}")
    if not out.members:
        raise ExtractionError("EMPTY", "the archive holds no files")


def _member(archive: tarfile.TarFile, entry: tarfile.TarInfo, context: Context) -> Member:
    limit = context.budget.limits.member_bytes
    if entry.size > limit:
        return Member(entry.name, error=too_large("bytes in one part", limit))
    opened = archive.extractfile(entry)
    data = opened.read() if opened is not None else b""
    if len(data) < entry.size:
        raise EOFError(f"{entry.name} is cut")
    return context.archived(Source(data, entry.name))
