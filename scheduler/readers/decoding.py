"""Bytes to text, and a helpful word when they are not what they were said to be. Knows no file formats."""

from __future__ import annotations

import codecs

from scheduler.readers.records import RefusedError

#: What a guess is made from.
_SAMPLE_BYTES = 64 * 1024

_IS_UTF8 = "add UTF-8 files without --encoding"


def decode(data: bytes, encoding: str, unit: str) -> str:
    """The text, or RefusedError INVALID_ENCODING that names the byte, counted from 1 in its `unit`."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        seen = f"byte {error.start + 1} of the {unit} (0x{data[error.start]:02x}) is not {encoding.upper()}"
        raise RefusedError("INVALID_ENCODING", f"{seen}; {_help(data, encoding)}") from None
    if encoding != "utf-8" and not text.isascii() and _is_rather_utf8(data, encoding):
        raise RefusedError("INVALID_ENCODING", f"the {unit} is UTF-8, not {encoding.upper()}; {_IS_UTF8}")
    return text


def _is_rather_utf8(data: bytes, encoding: str) -> bool:
    """Whether text that can be decoded as asked is UTF-8 all the same: 1 short Korean text of 150 can be both."""
    return _is_utf8(data) and not (encoding == "cp949" and looks_like_cp949(data[:_SAMPLE_BYTES]))


def _help(data: bytes, encoding: str) -> str:
    if encoding != "cp949" and looks_like_cp949(data[:_SAMPLE_BYTES]):
        return "it looks like CP949: add --encoding cp949"
    if encoding != "utf-8" and _is_utf8(data):
        return _IS_UTF8
    if encoding == "utf-8":
        return "save the file as UTF-8, or name its encoding with --encoding"
    return "is --encoding right for this file?"


def looks_like_cp949(data: bytes) -> bool:
    """Whether most of what is not ASCII reads as common Hangul (KS X 1001) in CP949.

    UTF-8 that was cut in the middle can also be decoded as CP949, but into Hanja and rare syllables.
    """
    text = data.decode("cp949", "ignore")
    beyond_ascii = [char for char in text if char > "\x7f"]
    letters = [char for char in beyond_ascii if not "ㄱ" <= char <= "ㅣ"]  # people write ㅋㅋㅋ
    n_common = sum("가" <= char <= "힣" and char.encode("cp949")[1] > 0xA0 for char in letters)
    n_lost = len(data) - len(text.encode("cp949"))
    return bool(beyond_ascii) and n_common >= 0.75 * len(letters) and n_lost <= (len(data) == _SAMPLE_BYTES)


def refuse_cp949_file(head: bytes, encoding: str, n_header_lines: int = 0) -> None:
    """RefusedError if these first bytes of a UTF-8 file are CP949 line by line: one report instead of thousands.

    One line that can be read, and each line is judged on its own.
    """
    whole = head[: head.rfind(b"\n") + 1] or head
    lines = [line for line in whole.split(b"\n")[n_header_lines:] if line.strip()]
    if encoding == "utf-8" and len(lines) > 1 and not any(map(_is_utf8, lines)) and looks_like_cp949(whole):
        raise RefusedError("INVALID_ENCODING", "the file looks like CP949: add --encoding cp949")


def utf16_without_mark(head: bytes) -> str | None:
    """The UTF-16 byte order that these first bytes of a file seem to have, or None.

    Half of each space, digit and line end is a NUL byte: at odd places if little-endian, else at even ones.
    Few other characters have one, among them 가 (U+AC00), at the other places.
    """
    n_even, n_odd = head[::2].count(0), head[1::2].count(0)
    share = (n_even + n_odd) / max(1, len(head))
    if (
        3 * min(n_even, n_odd) > max(n_even, n_odd)
        or share < 0.02
        or (share < 0.2 and _is_utf8(head, cut=True))
    ):
        return None
    if any(_is_utf8(line) for line in head.split(b"\n") if b"\0" not in line and line.strip()):
        return None
    return "utf-16-be" if n_even > n_odd else "utf-16-le"


def _is_utf8(data: bytes, *, cut: bool = False) -> bool:
    """Whether it is; if it was cut, but for half a character at the end."""
    try:
        codecs.utf_8_decode(data, "strict", not cut)
    except UnicodeDecodeError:
        return False
    return True
