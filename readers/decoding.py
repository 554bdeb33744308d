"""Bytes to text, with helpful messages if they are not in the expected encoding. Knows no file formats."""

from __future__ import annotations

from readers.encodings import is_utf8, looks_like_cp949
from readers.records import RefusedError
from readers.streams import Stream

#: The number of bytes from which other encodings are guessed.
_SAMPLE_BYTES = 64 * 1024

#: Encodings of text that is neither UTF-8 nor Korean, the most frequent first.
_OTHERS = ("cp1252", "cp932", "gb18030")


def decode(data: bytes, stream: Stream, unit: str) -> str:
    """The text. Raises RefusedError INVALID_ENCODING, which names the byte, counted from 1 in its `unit`."""
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
    """Whether text that can be decoded as requested is really UTF-8: 1 in 150 short Korean texts can be both."""
    return is_utf8(data) and not (encoding == "cp949" and looks_like_cp949(data[:_SAMPLE_BYTES]))


def _help(data: bytes, stream: Stream, unit: str) -> str:
    if stream.sure:
        return (
            f"the rest of the file is {stream.encoding.upper()}: convert the {unit} to that, or leave it out"
        )
    if stream.encoding != "utf-8":
        if is_utf8(data):
            return "leave --encoding out"
        return f"fix the {unit}, or leave --encoding out to detect the encoding"
    if looks_like_cp949(data[:_SAMPLE_BYTES]):
        return "it looks like CP949: add --encoding cp949"
    for other in _OTHERS:
        if _can_be(data, other):
            return f"convert the {unit} to UTF-8, or give its encoding, as in --encoding {other}"
    return f"fix the {unit}, or leave it out" if unit == "line" else "save the file as UTF-8"


def _can_be(data: bytes, encoding: str) -> bool:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char.isspace() for char in text)
