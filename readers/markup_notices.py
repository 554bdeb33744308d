"""Reports once per file that its texts are markup, and once that a text looks like it."""

from __future__ import annotations

from collections.abc import Callable

from readers.markup import looks_like_markup
from readers.records import Notice, Record

_TURNED = "was markup (HTML, XML): its visible text is stored; --as text stores such texts unchanged"
_DETAIL = (
    "holds tags (HTML, XML), which jobs leave out: it is stored unchanged; --as html stores what is visible"
)
#: The number of records of a file that are examined.
_LOOKED_AT = 1000


class MarkupNotices:
    """Examines the records of an `add`, one file after the other."""

    def __init__(self, tell: Callable[[Notice], None]) -> None:
        self._tell = tell
        self._file = ""
        self._left = 0
        self._said: set[str] = set()

    def look(self, record: Record) -> None:
        """Send a notice if this is the first record of its file that was markup, or that looks like it."""
        file, _, line = record.source.rpartition(":")
        if not file or not line.isdigit():
            file = record.source
        if file != self._file:
            self._file, self._left, self._said = file, _LOOKED_AT, set()
        if record.was_markup:
            self._say(record, _TURNED)
        elif self._left and looks_like_markup(record.text):
            self._say(record, _DETAIL)
            self._left = 0
        self._left = max(self._left - 1, 0)

    def _say(self, record: Record, detail: str) -> None:
        if detail not in self._said:
            self._said.add(detail)
            self._tell(Notice(record.source, detail))
