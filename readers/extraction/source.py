"""A file on disk or bytes in memory, read in the same way. Independent of file formats."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from readers.extraction.limits import Limits, too_large
from readers.extraction.records import ExtractionError


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes are. `name` is a hint for people; it decides nothing."""

    where: Path | bytes
    name: str

    @classmethod
    def of(cls, path_or_bytes: str | Path | bytes, name: str | None) -> Source:
        """From what a caller has."""
        if isinstance(path_or_bytes, bytes):
            return cls(path_or_bytes, name or "")
        path = Path(path_or_bytes)
        return cls(path, name or path.name)

    @property
    def size(self) -> int:
        return len(self.where) if isinstance(self.where, bytes) else self.where.stat().st_size

    def open(self) -> BinaryIO:
        """A stream from its start, to be closed."""
        return io.BytesIO(self.where) if isinstance(self.where, bytes) else self.where.open("rb")

    def head(self, n_bytes: int) -> bytes:
        """Its first bytes."""
        with self.open() as stream:
            return stream.read(n_bytes)

    def tail(self, n_bytes: int) -> bytes:
        """Its last bytes."""
        with self.open() as stream:
            stream.seek(max(0, self.size - n_bytes))
            return stream.read(n_bytes)

    def read(self) -> bytes:
        """All of it; `check` has bounded the size."""
        return self.where if isinstance(self.where, bytes) else self.where.read_bytes()

    def check(self, limits: Limits) -> None:
        """EMPTY or TOO_LARGE by the size alone."""
        if not self.size:
            raise ExtractionError("EMPTY", "the file has 0 bytes")
        if self.size > limits.bytes_in:
            raise too_large("bytes", limits.bytes_in)
