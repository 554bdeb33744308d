"""Plain text: one document a file, its key the path."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.readers import admission as checks
from scheduler.readers.admission import Admission
from scheduler.readers.decoding import decode
from scheduler.readers.files import DocumentFile
from scheduler.readers.options import ReadOptions
from scheduler.readers.records import BadRecord, Record, RefusedError
from scheduler.readers.streams import Stream


def read_txt(
    stream: Stream, file: DocumentFile, options: ReadOptions, admission: Admission
) -> Iterator[Record | BadRecord]:
    """One document or one report. Line ends become line feeds."""
    try:
        data = stream.buffer.read(options.max_text_bytes + 1)
        if len(data) > options.max_text_bytes:
            raise checks.too_long(options.max_text_bytes)
        text = decode(data, stream.encoding, "file").replace("\r\n", "\n")
        yield admission.record(file.name, text, None, file.shown)
    except RefusedError as refused:
        yield refused.at(file.shown, None, file.name)
