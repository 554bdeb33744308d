"""How much a file may cost, and the count of what it has cost so far. Independent of file formats."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from readers.extraction.records import ExtractionError

_MIB = 1024 * 1024
#: Small files may have any ratio: a page of blanks compresses a thousandfold.
_RATIO_FROM_BYTES = 16 * _MIB
#: At most this many documents beyond the limit are listed with an error; then the container is given up.
_LISTED_BEYOND = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one file and everything inside it. Beyond one, the file is the error TOO_LARGE or TIMEOUT.

    Memory stays below about twice `member_bytes` plus eight times `chars`; the limits of the process bound the rest.
    """

    #: Size of the file.
    bytes_in: int = 512 * _MIB
    #: What all its compressed parts may come to, at all levels together.
    bytes_out: int = 512 * _MIB
    #: One document inside a container.
    member_bytes: int = 128 * _MIB
    #: Documents and parts inside containers, at all levels together.
    entries: int = 50_000
    #: Records of JSON, tables and Parquet inside archives, at all levels together.
    records: int = 200_000
    #: Containers inside containers.
    depth: int = 6
    #: Elements inside elements.
    xml_depth: int = 512
    pages: int = 20_000
    #: Of text, tables and metadata of records, at all levels together.
    chars: int = 50_000_000
    #: Bytes out for each byte in, of what is larger than 16 MiB.
    ratio: int = 250
    #: Looked at between pages, parts and blocks: a parser that hangs inside one is for the process to end.
    seconds: float = 300.0


class _Count:
    """What was spent of one limit. `cap` is the limit, or less inside a member."""

    def __init__(self, limit: int, what: str) -> None:
        self.n = 0
        self.cap = limit
        self._limit = limit
        self._what = what

    def add(self, n: int) -> None:
        self.n += n
        if self.n > self.cap:
            raise too_large(self._what, self._limit)


class Visits:
    """Numbers the documents inside a file, at all levels together, in the order in which they are read: who watches
    from outside learns which one is being read, and can have one left out in another attempt."""

    def __init__(
        self,
        refused: Mapping[int, ExtractionError] | None = None,
        entering: Callable[[int, float], None] = lambda number, deadline: None,  # noqa: ARG005
    ) -> None:
        self._refused = refused or {}
        self._entering = entering
        self._n = 0
        #: The documents that are open, the outermost first; 0 is the file itself.
        self._open = [0]

    @contextmanager
    def enter(self, deadline: float, after: float) -> Iterator[None]:
        """The next document is read inside; raises the error of one that is to be left out. The deadline is the
        document's, on the monotonic clock; `after` is that of the one around it."""
        self._n += 1
        if self._n in self._refused:
            raise self._refused[self._n]
        self._open.append(self._n)
        self._entering(self._n, deadline)
        try:
            yield
        finally:
            self._open.pop()
            self._entering(self._open[-1], after)


class Budget:
    """What is left of the limits. One for a file and all its members."""

    def __init__(
        self, limits: Limits, beat: Callable[[], None] = lambda: None, visits: Visits | None = None
    ) -> None:
        self.limits = limits
        self._visits = visits or Visits()
        self._beat = beat
        self._bytes_out = _Count(limits.bytes_out, "decompressed bytes")
        self._entries = _Count(limits.entries, "entries")
        self._chars = _Count(limits.chars, "characters of text")
        self._records = _Count(limits.records, "records inside archives")
        self._deadline = time.monotonic() + limits.seconds

    @contextmanager
    def half(self) -> Iterator[None]:
        """A document inside another may spend half of what is left, so that its neighbours have something."""
        counts = (self._bytes_out, self._entries, self._chars, self._records)
        caps = [count.cap for count in counts]
        for count in counts:
            count.cap = count.n + (count.cap - count.n + 1) // 2
        deadline, now = self._deadline, time.monotonic()
        self._deadline = now + (deadline - now) / 2
        try:
            with self._visits.enter(self._deadline, deadline):
                yield
        finally:
            self._deadline = deadline
            for count, cap in zip(counts, caps, strict=True):
                count.n = min(count.n, count.cap)  # what it wanted beyond its half was refused
                count.cap = cap

    @property
    def is_spent(self) -> bool:
        """Whether too many documents beyond the limit were found to list them all."""
        return self._entries.n > self._entries.cap + _LISTED_BEYOND

    def tick(self) -> None:
        """Sends a heartbeat; raises TIMEOUT once the time is up."""
        self._beat()
        if time.monotonic() > self._deadline:
            raise ExtractionError(
                "TIMEOUT",
                f"the time is up: a file may take {self.limits.seconds:g} seconds, half of what is left "
                "for one document inside it; raise the limit",
            )

    def decompressed(self, n_bytes: int) -> None:
        """Counts bytes that came out of a compressed part."""
        self.tick()
        self._bytes_out.add(n_bytes)

    def ratio(self, n_out: int, n_packed: int) -> None:
        """Refuses a part that grows as only a bomb does."""
        if n_out > _RATIO_FROM_BYTES and n_out > self.limits.ratio * max(1, n_packed):
            detail = (
                f"it grows more than {self.limits.ratio}-fold when it is decompressed, as a zip bomb does"
            )
            raise ExtractionError("TOO_LARGE", detail)

    def entry(self) -> None:
        """Counts a document or a part of a container."""
        self.tick()
        self._entries.add(1)

    def record(self) -> None:
        """Counts a record."""
        self.tick()
        self._records.add(1)

    def chars(self, n: int) -> None:
        """Counts characters of text."""
        self._chars.add(n)

    def page(self, number: int) -> None:
        """Refuses a page, counted from 1, beyond the limit."""
        self.tick()
        if number > self.limits.pages:
            raise too_large("pages", self.limits.pages)


def too_large(what: str, limit: int) -> ExtractionError:
    """The error for exceeding a limit."""
    return ExtractionError("TOO_LARGE", f"it has more than {limit} {what}: split it or raise the limit")
