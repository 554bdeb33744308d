"""Bytes of a text file to text, whatever they say of themselves. Knows tags no more than their declared encoding."""

from __future__ import annotations

import codecs
import io
import re

from readers import encodings

_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""", re.IGNORECASE)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
#: Names for which the larger encoding is right: the smaller ones lack syllables that people write.
_LARGER = {
    "euc_kr": "cp949",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
}


def decode(data: bytes, declared: str | None = None) -> str:
    """The text: by its mark, as UTF-8 if it is, as declared, as it looks, and with U+FFFD where nothing fits."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, "replace")
    if encodings.is_utf8(data) and b"\0" not in data[:4096] and b"\x1b$" not in data:
        return data.decode("utf-8")
    found, sure = encodings.find(io.BufferedReader(io.BytesIO(data)))
    said = _known(declared or _declared(data))
    # Data with other bytes is no ASCII, whatever it says.
    first, last = (None, "cp1252") if said == "ascii" else (said, None)
    for candidate in (first, found if sure else None, _korean(data), last):
        if candidate and candidate != "utf-8":
            strict = _strict(data, candidate)
            if strict is not None:
                return strict
    if sure and found != "utf-8":
        return data.decode(found, "replace")
    if _korean(data):
        return data.decode("cp949", "replace")
    text = data.decode("utf-8", "replace")
    if text.count("\ufffd") > 0.02 * len(text) or data[:200_000].count(b"\0") == 0:
        western = _strict(data, "cp1252")
        if western is not None and not sure and _is_mostly_ascii(data):
            return western
    return text


def _declared(data: bytes) -> str | None:
    found = _DECLARED.search(data[:4096])
    return found[1].decode("ascii") if found else None


def _known(name: str | None) -> str | None:
    if not name:
        return None
    name = name.strip().lower()
    if name.startswith(("ks_c", "ksc")):
        return "cp949"
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return None
    return _LARGER.get(found, found)


def _strict(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeDecodeError, LookupError, ValueError):
        return None


def _korean(data: bytes) -> str | None:
    sample = data[: 64 * 1024]
    return "cp949" if not sample.isascii() and encodings.looks_like_cp949(sample) else None


def _is_mostly_ascii(data: bytes) -> bool:
    """Whether single bytes stand between ASCII letters, as accents and quotes of Windows do."""
    beyond = sum(byte > 127 for byte in data[:200_000])
    return beyond < 0.2 * len(data[:200_000])
