"""Detects the encoding of a file without a byte order mark from its bytes. If in doubt, it is UTF-8.

The tests, in order: UTF-16 by its NUL bytes, ISO-2022 by its escapes, valid UTF-8, and CP949 if nearly every line that
is not ASCII is valid CP949, not valid UTF-8, and consists of common Hangul. Knows no file formats.
"""

from __future__ import annotations

import codecs
import io

from readers.records import RefusedError

#: The encoding is detected from the first block that is not ASCII; this is the size of a block.
_BLOCK_BYTES = 256 * 1024
_SEARCHED_BYTES = 16 * 1024 * 1024
#: The number of bytes in which Korean is detected.
_KOREAN_BYTES = 64 * 1024
#: The share of lines that must be in an encoding for the file to be in it.
_ENOUGH = 0.9

_ESCAPES = {b"\x1b$)C": "iso2022_kr", b"\x1b$B": "iso2022_jp", b"\x1b$@": "iso2022_jp"}

#: The most frequent syllables of Korean: a fifth to a third of the syllables in any text.
_FREQUENT = frozenset("이다는에의을가하고로한지사도은기를어아리자나그서시인대정해있라보일들부것수했으니면요")


def find(stream: io.BufferedReader) -> tuple[str, bool]:
    """The encoding, and whether it is certain; "utf-8" if nothing else was detected. Peeks into the stream."""
    block = _first_block(stream)
    if guess := utf16_without_mark(block[: 16 * 1024]):
        return guess, True
    for escape, name in _ESCAPES.items():
        if escape in block and _decodes(block, name):
            return name, True
    is_whole = len(block) < _BLOCK_BYTES
    if is_utf8(block, cut=not is_whole):
        return "utf-8", not block.isascii()
    return _of_lines(block, is_whole)


def shown(name: str) -> str:
    """The usual spelling of the name."""
    return name.upper().replace("ISO2022_", "ISO-2022-")


def _first_block(stream: io.BufferedReader) -> bytes:
    """The first block that is not ASCII, from the start of a line; the first block of the file if all are ASCII."""
    first = block = _read(stream, _BLOCK_BYTES)
    n_read = len(block)
    while block and n_read < _SEARCHED_BYTES:
        if not block.isascii() or b"\x1b$" in block or b"\0" in block:
            return block
        block = _read(stream, _BLOCK_BYTES)
        n_read += len(block)
    return first


def _read(stream: io.BufferedReader, n_bytes: int) -> bytes:
    try:
        return stream.read(n_bytes)
    except RefusedError:  # a broken archive: the reader reports it when it gets there
        return b""


def _of_lines(block: bytes, is_whole: bool) -> tuple[str, bool]:
    """The same for bytes that are not UTF-8 as a whole."""
    lines = block.replace(b"\r", b"\n").split(b"\n")
    if not is_whole and len(lines) > 1:
        lines.pop()
    told = [line for line in lines if not line.isascii()]
    others = [line for line in told if not is_utf8(line)]
    korean = [line for line in others if _decodes(line, "cp949", cut=not is_whole)]
    if len(korean) >= _ENOUGH * len(told) and _is_korean(_text(korean)):
        return "cp949", True
    return "utf-8", len(others) < len(told)


def _text(lines: list[bytes]) -> str:
    return b"\n".join(lines)[:_KOREAN_BYTES].decode("cp949", "ignore")


def _is_korean(text: str) -> bool:
    """Whether it is Korean, not Chinese or Japanese that is valid CP949 by chance: a stricter test than the next."""
    letters = [char for char in text if char > "\x7f" and not _is_jamo(char)]
    jamo = sum(map(_is_jamo, text))
    common = [char for char in letters if _is_common(char)]
    if not letters:
        return jamo >= 2 and len({char for char in text if _is_jamo(char)}) <= 3  # ㅋㅋㅋ, ㅠㅠ
    if len(common) < _ENOUGH * len(letters) or jamo > 2 * len(letters):
        return False
    return len(common) < 30 or sum(char in _FREQUENT for char in common) >= 0.1 * len(common)


def looks_like_cp949(data: bytes) -> bool:
    """Whether most of the non-ASCII text is common Hangul (KS X 1001) in CP949.

    UTF-8 that is truncated inside a character can also be decoded as CP949, but into Hanja and rare syllables.
    """
    text = data.decode("cp949", "ignore")
    beyond_ascii = [char for char in text if char > "\x7f"]
    letters = [char for char in beyond_ascii if not _is_jamo(char)]  # people write ㅋㅋㅋ
    n_lost = len(data) - len(text.encode("cp949"))
    n_common = sum(map(_is_common, letters))
    return bool(beyond_ascii) and n_common >= 0.75 * len(letters) and n_lost <= (len(data) == _KOREAN_BYTES)


def _is_jamo(char: str) -> bool:
    return "ㄱ" <= char <= "ㅣ"


def _is_common(char: str) -> bool:
    """Whether the syllable is in KS X 1001; the other syllables of CP949 are rare."""
    return "가" <= char <= "힣" and min(char.encode("cp949")) > 0xA0


def utf16_without_mark(head: bytes) -> str | None:
    """The UTF-16 byte order that the first bytes of a file seem to have, or None.

    One byte of each space, digit and line end is NUL: at odd offsets if little-endian, at even ones if big-endian. Few
    other characters have a NUL byte at the other offsets, 가 (U+AC00) among them.
    """
    n_even, n_odd = head[::2].count(0), head[1::2].count(0)
    share = (n_even + n_odd) / max(1, len(head))
    if (
        3 * min(n_even, n_odd) > max(n_even, n_odd)
        or share < 0.02
        or (share < 0.2 and is_utf8(head, cut=True))
    ):
        return None
    if any(is_utf8(line) for line in head.split(b"\n") if b"\0" not in line and line.strip()):
        return None
    return "utf-16-be" if n_even > n_odd else "utf-16-le"


def is_utf8(data: bytes, *, cut: bool = False) -> bool:
    """Whether it is UTF-8; if the data was truncated, except for an incomplete character at the end."""
    return _decodes(data, "utf-8", cut=cut)


def _decodes(data: bytes, encoding: str, *, cut: bool = False) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(data, final=not cut)
    except UnicodeDecodeError:
        return False
    return True
