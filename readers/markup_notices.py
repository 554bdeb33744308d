"""Reports once per file that its texts look like markup."""

from __future__ import annotations

from collections.abc import Callable

from readers.markup import looks_like_markup
from readers.records import Notice, Record

_DETAIL = (
    "looks like markup (HTML, XML): it is stored unchanged; in jobs, tags count as line ends or as nothing, entities "
    "as characters, and scripts and styles are left out"
)
#: The number of records of a file that are examined.
_LOOKED_AT = 1000


class MarkupNotices:
    """Examines the records of an `add`, one file after the other."""

    def __init__(self, tell: Callable[[Notice], None]) -> None:
        self._tell = tell
        self._file = ""
        self._left = 0

    def look(self, record: Record) -> None:
        """Send a notice if this is the first record of its file that looks like markup."""
        file, _, line = record.source.rpartition(":")
        if not file or not line.isdigit():
            file = record.source
        if file != self._file:
            self._file, self._left = file, _LOOKED_AT
        if self._left and looks_like_markup(record.text):
            self._tell(Notice(record.source, _DETAIL))
            self._left = 0
        self._left = max(self._left - 1, 0)
