"""What all formats have in common. A writer gets the rows in batches and holds no more than one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

from db.reading import Column, Row
from scheduler.exports.request import Format


@dataclass
class Notes:
    """What a file does not hold as the store does, in words, each with how often it happened and where first."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, words: str, where: str) -> None:
        self.counts[words] = self.counts.get(words, 0) + 1
        self.first.setdefault(words, where)

    def lines(self) -> list[str]:
        return [f"{count:,} {words} (first: {self.first[words]})" for words, count in self.counts.items()]


@dataclass(frozen=True)
class Options:
    """What a writer is told beside the columns."""

    zone: ZoneInfo
    bom: bool = False
    raw: bool = False


#: Takes a batch of rows.
Write = Callable[[Sequence[Row]], object]
#: Opens a file for such rows.
Open = Callable[[Path, Sequence[Column], Options, Notes], AbstractContextManager[Write]]


def opener(format_: Format) -> Open:
    """The writer of a format. ValueError with the extra to install if its library is missing."""
    found: Open = import_module(f"scheduler.exports.{format_}_file").opened
    return found


def library(name: str, what: str) -> ModuleType:
    """A library of the extra that is named as the format."""
    try:
        return import_module(name)
    except ImportError:
        raise ValueError(
            f"{what} needs {name}, which is missing: pip install 'docmill[{what.lower()}]'"
        ) from None


@contextmanager
def text_file(path: Path, encoding: str) -> Iterator[Callable[[str], object]]:
    """A file for text, whose lines end as they are written."""
    with path.open("w", encoding=encoding, newline="") as file:
        yield file.write
