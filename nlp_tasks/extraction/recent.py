"""What came of the last few files: the same bytes often lie in several places, and are extracted once."""

from __future__ import annotations

from collections import OrderedDict

from nlp_tasks.extraction.stored_file import StoredFile
from readers.extraction import Extraction

_FILES, _CHARS = 64, 4_000_000
#: Of these, the name of what is inside depends on the name of the file.
_NAMED_INSIDE = ("application/gzip", "application/x-bzip2", "application/x-xz")


class Recent:
    """Extractions by the digest of the bytes. Bounded: large files and containers are not kept."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, Extraction] = OrderedDict()
        self._n_chars = 0

    def get(self, file: StoredFile) -> Extraction | None:
        """The extraction of the same bytes, if it is still here."""
        return self._found.get(file.sha256) if file.sha256 else None

    def put(self, file: StoredFile, found: Extraction) -> None:
        """Keep an extraction, and drop the oldest ones if there are too many."""
        if not file.sha256 or found.members or file.media_type in _NAMED_INSIDE or _size(found) > _CHARS // 4:
            return
        if file.sha256 in self._found:
            return
        self._found[file.sha256] = found
        self._n_chars += _size(found)
        while len(self._found) > _FILES or self._n_chars > _CHARS:
            _, dropped = self._found.popitem(last=False)
            self._n_chars -= _size(dropped)


def _size(found: Extraction) -> int:
    return found.figures.n_chars + found.figures.chars_in_tables
