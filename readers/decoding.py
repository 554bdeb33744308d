"""Bytes to text, and a helpful word when they are not what they were said to be. Knows no file formats."""

from __future__ import annotations

from readers.encodings import is_utf8, looks_like_cp949
from readers.records import RefusedError
from readers.streams import Stream

#: What a guess is made from.
_SAMPLE_BYTES = 64 * 1024

#: What text may be in that is neither UTF-8 nor Korean, the most frequent first.
_OTHERS = ("cp1252", "cp932", "gb18030")


def decode(data: bytes, stream: Stream, unit: str) -> str:
    """The text, or RefusedError INVALID_ENCODING that names the byte, counted from 1 in its `unit`."""
    encoding = stream.encoding
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        seen = f"byte {error.start + 1} of the {unit} (0x{data[error.start]:02x}) is not {encoding.upper()}"
        raise RefusedError("INVALID_ENCODING", f"{seen}; {_help(data, stream, unit)}") from None
    if encoding != "utf-8" and not text.isascii() and _is_rather_utf8(data, encoding):
        detail = f"the {unit} is UTF-8, not {encoding.upper()}; {_help(data, stream, unit)}"
        raise RefusedError("INVALID_ENCODING", detail)
    return text


def _is_rather_utf8(data: bytes, encoding: str) -> bool:
    """Whether text that can be decoded as asked is UTF-8 all the same: 1 short Korean text of 150 can be both."""
    return is_utf8(data) and not (encoding == "cp949" and looks_like_cp949(data[:_SAMPLE_BYTES]))


def _help(data: bytes, stream: Stream, unit: str) -> str:
    if stream.sure:
        return (
            f"the rest of the file is {stream.encoding.upper()}: convert the {unit} to that, or leave it out"
        )
    if stream.encoding != "utf-8":
        if is_utf8(data):
            return "leave --encoding out"
        return f"mend the {unit}, or leave --encoding out to have the encoding found"
    if looks_like_cp949(data[:_SAMPLE_BYTES]):
        return "it looks like CP949: add --encoding cp949"
    for other in _OTHERS:
        if _can_be(data, other):
            return f"convert the {unit} to UTF-8, or name its encoding, as in --encoding {other}"
    return f"mend the {unit}, or leave it out" if unit == "line" else "save the file as UTF-8"


def _can_be(data: bytes, encoding: str) -> bool:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char.isspace() for char in text)
