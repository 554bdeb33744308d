"""JSON Lines: one JSON object per line, ended by a line feed. Any other JSON is passed on to `json_values`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from readers import encodings, json_values
from readers.admission import Admits, T
from readers.decoding import decode
from readers.files import DocumentFile
from readers.json_objects import DECODER, Objects, key_in, loads
from readers.lines import Line, lines, too_long
from readers.options import ReadOptions
from readers.records import BadRecord, Notice, RefusedError
from readers.streams import Stream

_BOM = b"\xef\xbb\xbf"

#: Characters at which a line can end in the middle of an object.
_OPEN_ENDS = (b"{", b"[", b",", b":")


def read_jsonl(
    stream: Stream, file: DocumentFile, options: ReadOptions, admission: Admits[T]
) -> Iterator[T | BadRecord | Notice]:
    """A document or a report for every object; for JSON Lines, for every line that is not blank."""
    if stream.found:
        yield Notice(file.shown, f"read as {encodings.shown(stream.found)}")
    if not _is_in_lines(stream.head()):
        yield from json_values.read(stream, file, options, admission)
        return
    yield from read_lines(stream, file, options, admission)


def read_lines(
    stream: Stream, file: DocumentFile, options: ReadOptions, admission: Admits[T]
) -> Iterator[T | BadRecord]:
    """A document or a report for every line that is not blank, whatever the first lines look like."""
    objects = Objects(file, options)
    n_lines = 0
    for line in lines(stream.buffer, options.max_line_bytes):
        if line.data is not None and not line.data.strip():
            continue
        n_lines += 1
        try:
            fields = _fields(line, stream, options)
        except RefusedError as refused:
            text = (line.data or b"")[: 64 * 1024].decode("utf-8", "replace")
            yield refused.at(file.shown, line.number, key_in(text, options.key_field))
        else:
            yield from objects.documents(fields, line.number, line.number, admission)
    if n_lines == 0:
        yield RefusedError("EMPTY_FILE", "the file is empty").at(file.shown)


def _fields(line: Line, stream: Stream, options: ReadOptions) -> dict[str, Any]:
    if line.data is None:
        raise too_long(options.max_line_bytes)
    text = decode(line.data.removeprefix(_BOM), stream, "line")
    return loads(text, has_end=line.has_end)


def _is_in_lines(head: bytes) -> bool:
    """Whether each line has an object of its own, judged by the first lines. Not so for an array or for objects that
    span several lines."""
    head = head.lstrip()
    if head.startswith(b"["):
        return not head[1:].lstrip().startswith((b"{", b"]")) and head[1:].strip() != b""
    first, line_feed, rest = head.partition(b"\n")
    if not head.startswith(b"{") or not line_feed or _is_json(first):
        return True
    after = rest.lstrip()[:1]
    if after in (b'"', b"}", b"]", b","):
        return False
    return after not in (b"{", b"[") or not first.rstrip().endswith((b"[", b":"))


def _is_json(line: bytes) -> bool:
    try:
        DECODER.decode(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        # An incomplete object may continue in the next line; any other error belongs to the line itself.
        return not (
            isinstance(error, json.JSONDecodeError)
            and (error.pos >= len(error.doc.rstrip()) or line.rstrip().endswith(_OPEN_ENDS))
        )
    except RefusedError:
        return True
    return True
