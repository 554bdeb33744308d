"""Records inside an archive: JSON, tables with the field of the text, Parquet and Arrow. Each becomes a document, as if
`docmill add` had read the file by itself. What it would refuse is a warning; a file without any record is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from readers import dialects, metadata
from readers.admission import Admission
from readers.extraction import detect
from readers.extraction.limits import Budget
from readers.extraction.records import Code, ExtractionError
from readers.extraction.source import Source
from readers.extraction.writer import Writer
from readers.files import format_of_name
from readers.options import ReadOptions
from readers.reading import records_in
from readers.records import BadRecord, Notice, Record, RefusedError
from readers.streams import of_bytes
from readers.tables import sample

_BINARY = {detect.PARQUET: "parquet", detect.ARROW: "arrow"}
_MEDIA_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv", "tsv": "text/tab-separated-values"}
#: What a text in one of these formats may look like by its first bytes.
_LIKE_TEXT = ("text/", "message/rfc822", "application/mbox")
#: At most this many refused records of a file are listed; the others are counted.
_LISTED = 100
#: Codes of files and records that `docmill add` refuses, and those of an extraction; any other means CORRUPT.
_CODES: dict[str, Code] = {
    "MISSING_TEXT": "NO_RECORDS",
    "MISSING_KEY": "NO_RECORDS",
    "BAD_HEADER": "NO_RECORDS",
    "NOT_AN_OBJECT": "NO_RECORDS",
    "EMPTY_TEXT": "EMPTY",
    "EMPTY_FILE": "EMPTY",
    "TEXT_TOO_LONG": "TOO_LARGE",
    "LINE_TOO_LONG": "TOO_LARGE",
    "NESTED_TOO_DEEP": "TOO_LARGE",
    "NOT_INSTALLED": "UNSUPPORTED",
    "MEMORY": "MEMORY",
}


def read(source: Source, media_type: str, out: Writer, budget: Budget, options: ReadOptions) -> bool:
    """Reads the records of a file that is called JSON or a table, or that is Parquet or Arrow. False, and nothing is
    read, for any other: a table without the field of the text is one. NO_RECORDS where no row is a document."""
    format_ = _BINARY.get(media_type) or _format_of_text(source.name, media_type)
    if format_ is None:
        return False
    data = source.read()
    if format_ in ("csv", "tsv") and not _has_text(data, format_, options):
        return False
    out.media_type = _MEDIA_TYPES.get(format_, media_type)
    options = replace(options, meta=True)
    refused = _Refused()
    try:
        for record in _records(data, source.name, format_, options, budget, out):
            if isinstance(record, BadRecord):
                refused.add(record)
                continue
            budget.record()
            budget.chars(len(record.text) + len(metadata.as_json(record.meta or {})) + 1)
            out.records.append(record)
    except RefusedError as error:
        if not out.records or error.code == "MEMORY":
            raise _error(error.code, error.detail) from None
        out.warn(error.code, f"after {len(out.records):,} records: {error.detail}")
    refused.tell(out)
    return True


def _format_of_text(name: str, media_type: str) -> str | None:
    known = format_of_name(name)
    is_one = known is not None and known[0] in _MEDIA_TYPES and not known[1]
    return known[0] if known and is_one and media_type.startswith(_LIKE_TEXT) else None


def _has_text(data: bytes, format_: str, options: ReadOptions) -> bool:
    """Whether a table has the field of the text."""
    try:
        head = sample(of_bytes(data, options.encoding))
    except RefusedError:
        return False
    mark = "," if format_ == "csv" else "\t"
    return dialects.find(head, mark, [options.text_field], options.delimiter).has_fields


def _records(
    data: bytes, name: str, format_: str, options: ReadOptions, budget: Budget, out: Writer
) -> Iterator[Record | BadRecord]:
    admission = Admission(options)
    for item in records_in(data, name, format_, options, admission, budget.decompressed):
        budget.tick()
        if not isinstance(item, Notice):
            yield item
    for notice in admission.notices():
        out.warn("METADATA_LEFT_OUT", notice.detail)


class _Refused:
    """The records of a file that are no documents."""

    def __init__(self) -> None:
        self._first: list[BadRecord] = []
        self._codes: Counter[str] = Counter()

    def add(self, record: BadRecord) -> None:
        self._codes[record.code] += 1
        if len(self._first) < _LISTED:
            self._first.append(record)

    def tell(self, out: Writer) -> None:
        """As warnings; raises the error of a file that has nothing but these."""
        if not self._first:
            return
        n = self._codes.total()
        if not out.records:
            first = self._first[0]
            them = f"none of its {n:,} records is a document; " if n > 1 else ""
            raise _error(self._codes.most_common(1)[0][0], f"{them}{_place(first)}{first.detail}")
        for record in self._first:
            out.warn(record.code, _placed(record))
        if n > _LISTED:
            out.warn("MORE_REFUSED", f"{n - _LISTED:,} more records are no documents")


def _placed(record: BadRecord) -> str:
    return f"{_place(record)}{record.detail}" + (f" (key {record.key})" if record.key else "")


def _place(record: BadRecord) -> str:
    return "" if record.line is None else f"line {record.line}: "


def _error(code: str, detail: str) -> ExtractionError:
    found = _CODES.get(code, "CORRUPT")
    if found == "CORRUPT" and code != found:
        detail = f"{code}: {detail}"
    elif found == "NO_RECORDS" and "--" in detail:
        detail += "; say so to `docmill add`, with --extract-again"
    return ExtractionError(found, detail)
