"""Which file is being read, and how much of it has been: for whoever shows it to a person. Knows nothing of records."""

from __future__ import annotations

import io


class Watch:
    """Told by the readers; asked at any time, also from another thread."""

    def __init__(self) -> None:
        #: Files that were begun.
        self.n_files = 0
        #: The one that is being read, as reports name it; empty before the first.
        self.name = ""
        self._raw: io.FileIO | None = None
        self._size = 0

    def begin(self, name: str) -> None:
        """This file comes next."""
        self.n_files += 1
        self.name = name
        self._raw = None

    def opened(self, raw: io.FileIO, size: int) -> None:
        """It is read through this file. Packed bytes count, so that a share is known of packed files, too."""
        self._raw, self._size = raw, size

    @property
    def share(self) -> float | None:
        """Of the bytes of this file, from 0 to 1; None if it is not known, as of formats that are not read in order."""
        raw, size = self._raw, self._size
        if raw is None or not size:
            return None
        try:
            return min(1.0, raw.tell() / size)
        except ValueError:
            # It has been closed.
            return 1.0
