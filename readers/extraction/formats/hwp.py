"""HWP 5 with olefile: paragraphs, headings by outline level, tables; checked against the file's own preview."""

from __future__ import annotations

import re
import struct
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from readers.extraction import hwp_records
from readers.extraction.context import Context
from readers.extraction.hwp_records import Record
from readers.extraction.records import ExtractionError
from readers.extraction.registry import library_version
from readers.extraction.source import Source
from readers.extraction.writer import Writer, clean

_PARA_SHAPE, _PARA_HEADER, _PARA_TEXT, _CTRL_HEADER, _LIST_HEADER, _EQUATION = 25, 66, 67, 71, 72, 88
_COMPRESSED, _ENCRYPTED, _DISTRIBUTED = 1, 2, 4
#: Controls whose text is no part of what a reader reads in order.
_LEFT_OUT = frozenset(("head", "foot", "tcmt"))
#: Characters that stand for eight code units; the others below 32 stand for themselves.
_WIDE = frozenset((*range(1, 10), 11, 12, *range(14, 24)))
_SHOWN = {9: "\t", 10: "\n", 24: "-", 30: " ", 31: " "}
_SECTION = re.compile(r"Section(\d+)$")
_WORDS = re.compile(r"\w+")
#: What the file says of itself, and the numbers of its properties (MS-OLEPS).
_SUMMARY, _TITLE, _AUTHOR, _CREATED = "\x05HwpSummaryInformation", 2, 4, 12
#: Shares of the preview's words that have to be found.
_PREVIEW_KEPT, _AGREED = 0.9, 0.9
#: Larger files are not read twice.
_COMPARED_BYTES = 16 * 1024 * 1024


def read(source: Source, ole: Any, out: Writer, context: Context) -> None:
    """The text of all sections. ENCRYPTED with a password; a text that lacks the preview's words is warned of."""
    out.media_type = "application/x-hwp"
    out.parser = f"docmill with {library_version('olefile')}"
    flags = _flags(ole)
    _properties(ole, out)
    if flags & _ENCRYPTED:
        raise ExtractionError("ENCRYPTED", "the HWP asks for a password: save it without one")
    if flags & _DISTRIBUTED:
        _read_distributed(source, out)
        return
    names = _sections(ole)
    levels = _outline_levels(ole, bool(flags & _COMPRESSED), context)
    for name in names:
        data = hwp_records.stream(ole, name, bool(flags & _COMPRESSED), context.budget)
        section = _Section(out, levels)
        for record in hwp_records.records(data, name):
            section.take(record)
        section.finish()
    _check_preview(ole, out)
    _compare(source, out)


def _flags(ole: Any) -> int:
    header = hwp_records.stream(ole, "FileHeader", False, None)  # type: ignore[arg-type]
    if not header.startswith(b"HWP Document File") or len(header) < 40:
        raise ExtractionError("CORRUPT", "the FileHeader is not that of an HWP 5 file")
    return int(struct.unpack_from("<I", header, 36)[0])


def _properties(ole: Any, out: Writer) -> None:
    """What the file says of itself. Damage there is no damage of the text."""
    if not ole.exists(_SUMMARY):
        return
    try:
        told = ole.getproperties(_SUMMARY, convert_time=True)
    except Exception:
        return
    title, author, created = (told.get(number) for number in (_TITLE, _AUTHOR, _CREATED))
    out.title, out.author = _property(title), _property(author)
    out.created = f"{created.isoformat(timespec='seconds')}+00:00" if isinstance(created, datetime) else None


def _property(text: object) -> str | None:
    """What follows the first NUL is another property."""
    return clean(text.partition("\0")[0]) or None if isinstance(text, str) else None


def _sections(ole: Any) -> list[str]:
    names = ["/".join(path) for path in ole.listdir() if path[0] == "BodyText"]
    numbered = [(int(found[1]), name) for name in names if (found := _SECTION.search(name))]
    if not numbered:
        raise ExtractionError("CORRUPT", "the HWP has no BodyText")
    return [name for _, name in sorted(numbered)]


def _outline_levels(ole: Any, compressed: bool, context: Context) -> list[int]:
    """By paragraph shape: 0 for prose, from 1 for a heading."""
    if not ole.exists("DocInfo"):
        return []
    data = hwp_records.stream(ole, "DocInfo", compressed, context.budget)
    levels = []
    for record in hwp_records.records(data, "DocInfo"):
        if record.tag == _PARA_SHAPE and len(record.data) >= 4:
            (attributes,) = struct.unpack_from("<I", record.data)
            is_outline = (attributes >> 23) & 3 == 1
            levels.append(((attributes >> 25) & 7) + 1 if is_outline else 0)
    return levels


@dataclass(slots=True)
class _Control:
    level: int
    kind: str


class _Section:
    """Follows the levels of records: what stands below a table's control is in its cells."""

    def __init__(self, out: Writer, levels: list[int]) -> None:
        self._out = out
        self._levels = levels
        self._controls: list[_Control] = []
        self._heading = 0

    def take(self, record: Record) -> None:
        """The next record of the section."""
        if record.tag == _PARA_HEADER:
            self._close(record.level)
            shape = struct.unpack_from("<H", record.data, 8)[0] if len(record.data) >= 10 else -1
            self._heading = self._levels[shape] if 0 <= shape < len(self._levels) else 0
        elif record.tag == _PARA_TEXT:
            if not any(control.kind in _LEFT_OUT for control in self._controls):
                self._out.paragraph(_shown(record.data), 0 if self._in_table else self._heading)
        elif record.tag == _CTRL_HEADER:
            self._close(record.level)
            kind = record.data[3::-1].decode("latin-1").strip()
            self._controls.append(_Control(record.level, kind))
            if kind == "tbl":
                self._out.begin_table()
        elif record.tag == _LIST_HEADER and self._controls and self._controls[-1].kind == "tbl":
            self._cell(record)

    def finish(self) -> None:
        """Closes what is open at the section's end."""
        self._close(0)

    @property
    def _in_table(self) -> bool:
        return any(control.kind == "tbl" for control in self._controls)

    def _cell(self, record: Record) -> None:
        self._close(record.level)
        if self._controls and len(record.data) >= 12:
            column, row = struct.unpack_from("<HH", record.data, 8)
            self._out.cell(row, column)

    def _close(self, level: int) -> None:
        while self._controls and self._controls[-1].level >= level:
            if self._controls.pop().kind == "tbl":
                self._out.end_table()


def _shown(data: bytes) -> str:
    """The characters of a paragraph, without the places of its controls."""
    units = struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])
    kept: list[int] = []
    shown: list[str] = []
    at = 0
    while at < len(units):
        unit = units[at]
        if unit >= 32:
            kept.append(unit)
            at += 1
            continue
        shown.append(_text(kept))
        kept = []
        shown.append(_SHOWN.get(unit, ""))
        at += 8 if unit in _WIDE else 1
    shown.append(_text(kept))
    return "".join(shown)


def _text(units: list[int]) -> str:
    return struct.pack(f"<{len(units)}H", *units).decode("utf-16-le", "replace")


def preview_words(preview: str, whole: str) -> tuple[int, int]:
    """How many words the preview has, and how many of them the text lacks. The last word may be cut."""
    expected = Counter(_WORDS.findall(clean(preview))[:-1])
    return expected.total(), (expected - Counter(_WORDS.findall(whole))).total()


def _check_preview(ole: Any, out: Writer) -> None:
    if not ole.exists("PrvText"):
        return
    with ole.openstream("PrvText") as stream:
        preview = stream.read(65536).decode("utf-16-le", "replace")
    check_preview(preview, out)


def check_preview(preview: str, out: Writer) -> None:
    """Warns where the words that the file shows of itself are not in what was read; an empty text is an error."""
    found = out.everything()
    n_words, n_missing = preview_words(preview, found)
    letters = _WORDS.findall(clean(preview))
    if letters and not _WORDS.search(found):
        raise ExtractionError("CORRUPT", "no text was found, and the file's preview has some")
    if n_words and n_missing > (1 - _PREVIEW_KEPT) * n_words + 1:
        out.warn(
            "SHORTER_THAN_PROMISED", f"{n_missing} of {n_words} words of the file's preview were not found"
        )


def _compare(source: Source, out: Writer) -> None:
    """Warns where syhwp, if it is installed, finds words that were not found here."""
    if source.size > _COMPARED_BYTES:
        return
    try:
        import syhwp

        other = syhwp.extract_text(source.read())
    except Exception:  # it is the check, not the reader: that it fails says nothing about the text
        return
    expected = Counter(_WORDS.findall(other))
    n_missing = (expected - Counter(_WORDS.findall(out.everything()))).total()
    if n_missing > (1 - _AGREED) * expected.total() + 1:
        detail = (
            f"{n_missing} of {expected.total()} words that {library_version('syhwp')} finds were not found"
        )
        out.warn("PARSERS_DISAGREE", detail)


def _read_distributed(source: Source, out: Writer) -> None:
    """A document for distribution is scrambled with a key that it holds: syhwp reads it."""
    try:
        import syhwp
    except ImportError:
        detail = "the HWP is for distribution only, and syhwp is not installed: pip install 'docmill[files]'"
        raise ExtractionError("UNSUPPORTED", detail) from None
    out.parser = library_version("syhwp")
    try:
        text = syhwp.extract_text(source.read())
    except Exception as error:
        raise ExtractionError("CORRUPT", f"the HWP for distribution cannot be read: {error}") from error
    for line in text.splitlines():
        out.paragraph(line)
