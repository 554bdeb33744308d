"""JSON that is not JSON Lines: an array of objects, or objects that span several lines.

The file is read through a window that holds one object and grows to at most `max_line_bytes` characters. A broken
object is skipped up to its closing bracket, or to the next line that starts like the line of the first object.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from readers.admission import Admits, T
from readers.files import DocumentFile
from readers.json_objects import DECODER, Objects, check, key_in, not_json, number_too_long, too_deep
from readers.options import ReadOptions
from readers.records import BadRecord, RefusedError
from readers.streams import Stream

_CHUNK_BYTES = 64 * 1024
#: What may be between objects, including the brackets of the array that contains them.
_BETWEEN = re.compile(r"[\s,\[\]\ufeff]*")
_MARK = re.compile(r'"(?:[^"\\\n]|\\.)*+"|[{}\[\]]')
_AFTER = re.compile(r"\s*(?:[,\]{]|\Z)")
#: How far the end of a broken object is searched for.
_SKIPPED_CHARS = 4 * 1024 * 1024
#: An error of the decoder this close to the end of the window may only mean that more must be read.
_MARGIN = 16
#: The maximum number of objects without a recognisable end, before the file is given up.
_MAX_LOST = 100


def read(
    stream: Stream, file: DocumentFile, options: ReadOptions, admission: Admits[T]
) -> Iterator[T | BadRecord]:
    """A document or a report for every object. Reports name the line on which the object starts."""
    window = _Window(stream.as_utf8(), options.max_line_bytes)
    objects = Objects(file, options)
    number = n_lost = 0
    while window.to_next_object():
        number += 1
        line = window.line
        try:
            fields = window.take()
        except RefusedError as refused:
            yield refused.at(file.shown, line, key_in(window.text_here(), options.key_field))
            n_lost += not window.skip()
            if n_lost > _MAX_LOST:
                detail = f"the end of more than {_MAX_LOST} objects was not found: the rest of the file was not read"
                raise RefusedError("BROKEN_JSON", detail) from None
        else:
            yield from objects.documents(fields, line, number, admission)
    if number == 0:
        yield RefusedError("EMPTY_FILE", "the file has no objects").at(file.shown)


class _Window:
    """A window of the file's text, and the offset in it of the next object."""

    def __init__(self, stream: io.BufferedReader, max_chars: int) -> None:
        self._stream, self._max_chars = stream, max_chars
        # Bytes that are not UTF-8 become surrogates: `take` refuses the object that holds them.
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text, self._at, self._at_end = "", 0, False
        self._indent: str | None = None
        #: Where what stands here ends, once it was decoded.
        self._end: int | None = None
        #: The line number of the next object.
        self.line = 1

    def to_next_object(self) -> bool:
        """Move to the next object, or to whatever is in its place; False at the end."""
        while True:
            found = _BETWEEN.match(self._text, self._at)
            assert found is not None
            self._go(found.end())
            if self._at < len(self._text):
                if self._indent is None:
                    start = self._text.rfind("\n", 0, self._at) + 1
                    before = self._text[start : self._at]
                    self._indent = before if before.isspace() or not before else None
                return True
            if not self._more():
                return False

    def take(self) -> dict[str, Any]:
        """The object; the window moves past it. On RefusedError the window stays."""
        self._end = None
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._is_cut(error):
                    raise not_json(error, self._at) from None
            except RecursionError:
                raise too_deep() from None
            except ValueError:
                raise number_too_long() from None
            else:
                self._end = end
                self._check_bytes(end)
                fields = check(value)
                self._go(end)
                return fields
            if not self._more():
                if self._at_end:
                    detail = "the file ends in the middle of an object: it seems to be truncated"
                    raise RefusedError("NOT_JSON", detail)
                detail = f"the object is longer than {self._max_chars} characters; it was skipped"
                raise RefusedError("LINE_TOO_LONG", detail)

    def text_here(self) -> str:
        """The beginning of the object."""
        text = self._text[self._at : self._at + _CHUNK_BYTES]
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def skip(self) -> bool:
        """Skip a broken object; False if its end was not found."""
        next_one = re.compile("\n" + re.escape(self._indent or "") + r"(?=\{)")
        end = self._end or self._closing_bracket()
        # A bracket that is missing here may be found after the next object, which must not be lost.
        if end is not None and (self._end or not next_one.search(self._text, self._at + 1, end)):
            self._go(end)
            return True
        start = self._at + 1
        while True:
            if found := next_one.search(self._text, start):
                self._go(found.end())
                return False
            self._go(max(self._at, len(self._text) - 1000))
            start = self._at
            if not self._more():
                self._go(len(self._text))
                return False
            start = 0

    def _closing_bracket(self) -> int | None:
        """The end of the object, by its brackets alone; None if they do not match."""
        if self._text.startswith("}", self._at):
            return self._at + 1
        if not self._text.startswith(("{", "["), self._at):
            return None
        while True:
            end = self._matching(min(len(self._text), self._at + _SKIPPED_CHARS))
            if end != -1:
                return end
            if len(self._text) - self._at > _SKIPPED_CHARS or not self._more():
                return None

    def _matching(self, until: int) -> int | None:
        """The end of the bracket that opens here; None if another one is closed instead, -1 if it is not closed yet."""
        open_ones: list[str] = []
        for found in _MARK.finditer(self._text, self._at, until):
            mark = found[0]
            if mark in "{[":
                open_ones.append("}" if mark == "{" else "]")
            elif mark in "}]":
                if open_ones.pop() != mark:
                    return None
                if not open_ones:
                    return found.end() if _AFTER.match(self._text, found.end()) else None
        return -1

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        if self._at_end:
            return False
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - _MARGIN

    def _check_bytes(self, end: int) -> None:
        text = self._text[self._at : end]
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            detail = (
                f"character {error.start + 1} of the object is not UTF-8: fix it, or leave the object out"
            )
            raise RefusedError("INVALID_ENCODING", detail) from None

    def _more(self) -> bool:
        """Read more, twice as much each time; False at the end of the file, or at the maximum size of the window."""
        held = len(self._text) - self._at
        if self._at_end or held > self._max_chars:
            return False
        data = self._stream.read(min(max(_CHUNK_BYTES, held), self._max_chars - held + _CHUNK_BYTES))
        self._at_end = not data
        self._text = self._text[self._at :] + self._decoder.decode(data, final=self._at_end)
        self._at = 0
        return bool(data)

    def _go(self, place: int) -> None:
        self.line += self._text.count("\n", self._at, place)
        self._at = place
