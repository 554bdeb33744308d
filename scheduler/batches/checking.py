"""The lines of a file of requests, each checked by itself: is it a request, and for the right endpoint?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from readers.admission import check_key
from readers.json_objects import loads
from readers.records import RefusedError, shown

#: Requests in one batch, and bytes of one line.
MOST_LINES, MOST_LINE_BYTES = 50_000, 16 * 1024 * 1024
#: Lines of one part.
PART_LINES = 2_000
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file that is not blank."""

    #: From 1.
    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """A line that is a request."""

    line: int
    custom_id: str
    #: The custom_id as the key of a document: in NFC.
    key: str
    body: dict[str, Any]


class LineError(Exception):
    """A line is no request: the batch fails."""

    def __init__(self, line: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.line, self.code, self.param = line, code, param

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "message": str(self), "param": self.param, "line": self.line}


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a file, and where the next part begins."""

    lines: list[Line]
    #: The offset of the next part in the file, and the number of the last line before it.
    position: int
    line: int
    #: There is nothing after it.
    is_last: bool


def split(data: bytes, position: int, line: int, *, at_end: bool) -> Part:
    """The first whole lines in `data`, which begins at `position` after line number `line`. Unless the file ends with
    it, what follows the last line end is left to the next part."""
    whole = data if at_end else data[: data.rfind(b"\n") + 1]
    lines: list[Line] = []
    end = position
    for each in _lines(whole):
        if len(lines) == PART_LINES:
            return Part(lines, end, line, is_last=False)
        line += 1
        end += len(each)
        stripped = (each.removeprefix(_BOM) if line == 1 else each).strip(b" \t\r\n")
        if stripped:
            lines.append(Line(line, stripped))
    return Part(lines, end, line, is_last=at_end)


def _lines(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end + 1
        yield data[start:end]
        start = end


def request_of(line: Line, endpoint: str) -> Request:
    """The request in a line; LineError."""
    if len(line.data) > MOST_LINE_BYTES:
        raise too_long(line.number)
    try:
        fields = loads(line.data.decode("utf-8"))
    except UnicodeDecodeError:
        raise LineError(line.number, "invalid_json_line", "the line is not UTF-8") from None
    except RefusedError as refused:
        raise LineError(line.number, "invalid_json_line", refused.detail) from None
    custom_id = _text(line, fields, "custom_id")
    method, url = _text(line, fields, "method"), _text(line, fields, "url")
    if method != "POST":
        raise LineError(
            line.number, "invalid_method", f"method must be POST, not {shown(method, 40)}", "method"
        )
    if url != endpoint:
        message = f"the batch is for {endpoint}, and this line is for {shown(url, 80)}"
        raise LineError(line.number, "mismatched_url", message, "url")
    body = fields.get("body")
    if not isinstance(body, dict):
        raise LineError(line.number, "invalid_body", "body must be an object", "body")
    try:
        return Request(line.number, custom_id, check_key(custom_id), body)
    except RefusedError as refused:
        raise LineError(
            line.number, "invalid_custom_id", f"custom_id: {refused.detail}", "custom_id"
        ) from None


def too_long(line: int) -> LineError:
    """The error of a line that is too long."""
    message = f"the line has more than {MOST_LINE_BYTES:,} bytes: split its text"
    return LineError(line, "line_too_long", message)


def _text(line: Line, fields: dict[str, Any], name: str) -> str:
    found = fields.get(name)
    if name not in fields:
        raise LineError(line.number, "missing_required_parameter", f"the line has no field {name!r}", name)
    if not isinstance(found, str) or not found:
        raise LineError(line.number, "invalid_type", f"{name} must be a string that is not empty", name)
    return found
