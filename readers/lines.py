"""Splits a stream of bytes into lines at line feeds only. U+2028 and a carriage return alone do not end a line."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

from readers.options import MIB
from readers.records import RefusedError


class Line(NamedTuple):
    """A line without its line end; `data` is None if it was too long."""

    number: int  # from 1
    data: bytes | None
    #: False for the last line of a file that does not end in a line feed.
    has_end: bool


def lines(stream: io.BufferedReader, max_bytes: int) -> Iterator[Line]:
    """Every line, in memory of about `max_bytes`; the content of longer lines is skipped."""
    number = 0
    while data := stream.readline(max_bytes + 1):
        number += 1
        if data[-1] == 0x0A:
            yield Line(number, data[:-1], True)
        elif len(data) <= max_bytes:
            yield Line(number, data, False)
        else:
            del data
            yield Line(number, None, _pass_over(stream))


def _pass_over(stream: io.BufferedReader) -> bool:
    """Read to the end of the line; False if the file ended first."""
    while data := stream.readline(MIB):
        if data[-1] == 0x0A:
            return True
    return False


def too_long(max_bytes: int) -> RefusedError:
    """The refusal of a line of more than `max_bytes` bytes."""
    return RefusedError("LINE_TOO_LONG", f"the line is longer than {max_bytes} bytes; it was skipped")
