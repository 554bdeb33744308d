"""Documents on stdin. They are first copied to a temporary file: finding the encoding takes several passes."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from readers import dialects
from readers.files import DocumentFile, format_of
from readers.options import ReadOptions
from readers.records import BadRecord, RefusedError

#: The name in reports, and the beginning of keys.
NAME = "stdin"
#: What --format may say.
FORMATS = {"jsonl": "jsonl", "json": "jsonl", "csv": "csv", "tsv": "tsv", "txt": "txt", "parquet": "parquet"}
_HEAD_BYTES = 64 * 1024


def find(stream: BinaryIO, format_: str | None, options: ReadOptions) -> Iterator[DocumentFile | BadRecord]:
    """The one file, until the next is asked for."""
    with tempfile.NamedTemporaryFile(prefix="docmill-stdin-") as copy:
        shutil.copyfileobj(stream, copy, 1024 * 1024)
        copy.flush()
        path = Path(copy.name)
        try:
            yield _document_file(path, format_, options)
        except RefusedError as refused:
            yield refused.at(NAME)


def _document_file(path: Path, format_: str | None, options: ReadOptions) -> DocumentFile:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise RefusedError("EMPTY_FILE", "nothing came on stdin")
    is_gzip = head.startswith(b"\x1f\x8b")
    if is_gzip:
        head = _unpacked(head)
    known = FORMATS[format_] if format_ else _format(path, head, options)
    return DocumentFile(path, path.parent, NAME, NAME, known, is_gzip, is_copy=True)


def _unpacked(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, _HEAD_BYTES)
    except (zlib.error, gzip.BadGzipFile):
        return b""


def _format(path: Path, head: bytes, options: ReadOptions) -> str:
    """By the first bytes: Parquet, JSON, or a table that has the field of the text."""
    if known := format_of(path):
        return known
    text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head.decode("utf-16", "replace")
    if text.lstrip().startswith(("{", "[")):
        return "jsonl"
    for format_, mark in (("csv", ","), ("tsv", "\t")):
        dialect = dialects.find(text, mark, [options.text_field])
        if dialect.has_fields and (dialect.delimiter == "\t") == (format_ == "tsv"):
            return format_
    detail = (
        f"it does not begin as JSON Lines, or as a table with a column {options.text_field!r}: name the format, as "
        "in --format txt, or the column, with --text-field (PDF, office files and archives are read from files only)"
    )
    raise RefusedError("UNKNOWN_FORMAT", detail)
