"""A ZIP archive of documents: each is a member."""

from __future__ import annotations

import posixpath
from zipfile import ZipInfo

from readers.extraction.context import Context
from readers.extraction.package import Package
from readers.extraction.records import ExtractionError, Member
from readers.extraction.source import Source
from readers.extraction.writer import Writer

_IGNORED = ("__MACOSX/", ".DS_Store", "Thumbs.db")


def read(source: Source, out: Writer, context: Context) -> None:
    """All documents in the order of the archive. One that fails leaves the others alone."""
    with Package(source, context.budget) as package:
        for info in package.infos():
            if not is_ignored(info.filename):
                out.members.append(_member(package, info, context))
    if not out.members:
        raise ExtractionError("EMPTY", "the archive holds no files")


def is_ignored(name: str) -> bool:
    """Whether a system put the file there, not a person."""
    return name.startswith(_IGNORED) or posixpath.basename(name) in _IGNORED


def _member(package: Package, info: ZipInfo, context: Context) -> Member:
    name = file_name(info)
    try:
        return context.archived(Source(package.read(info), name))
    except ExtractionError as error:
        return Member(name, error=error)


def file_name(info: ZipInfo) -> str:
    """The name; old Korean archives have it in CP949, which ZIP takes for CP437."""
    if info.flag_bits & 0x800 or info.filename.isascii():
        return info.filename
    try:
        return info.filename.encode("cp437").decode("cp949")
    except UnicodeError:
        return info.filename
