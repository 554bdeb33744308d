"""Where documents come from, as a person writes it: a path, a folder, a pattern, `-` for stdin, a URL of storage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from readers import patterns, stdin
from readers.files import URL, Accepts, DocumentFile, Takes, find, nobody
from readers.options import ReadOptions
from readers.patterns import Pattern
from readers.records import BadRecord, RefusedError, shown
from readers.remote.policy import NOTHING, Policy

STDIN = "-"


@dataclass(frozen=True)
class Reach:
    """What may be read beside paths."""

    #: The bytes that `-` stands for; None where it is an ordinary name.
    stdin: BinaryIO | None = None
    #: Its format; None to detect it.
    format: str | None = None
    #: Which URLs may be read.
    remote: Policy = NOTHING
    #: Of the files of folders, which are meant.
    accepts: Accepts | None = None


def find_at(
    place: str | PathLike[str], options: ReadOptions, takes: Takes = nobody, reach: Reach | None = None
) -> Iterator[DocumentFile | BadRecord]:
    """The files at a place. Those of stdin and of URLs are temporary: each is there until the next one is asked for."""
    reach = reach or Reach()
    text = os.fspath(place)
    if text == STDIN and reach.stdin is not None:
        yield from stdin.find(reach.stdin, reach.format, options)
    elif isinstance(place, str) and URL.match(text):
        from readers.remote.finding import find_url  # loads a client of HTTP

        yield from find_url(text, reach.remote, takes)
    elif not os.path.lexists(text) and (pattern := patterns.of(text)) is not None:
        yield from _matching(pattern, takes)
    else:
        yield from find(Path(place), takes, reach.accepts)


class _Counted:
    """A pattern that counts what it matches."""

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self.n_matches = 0
        self.has_folder = False

    def matches(self, name: str) -> bool:
        found = self._pattern.matches(name)
        self.n_matches += found
        return found

    def enters(self, name: str) -> bool:
        self.has_folder = self.has_folder or self._pattern.matches(name)
        return self._pattern.enters(name)


def _matching(pattern: Pattern, takes: Takes) -> Iterator[DocumentFile | BadRecord]:
    place = shown(pattern.text)
    if not pattern.root.is_dir():
        detail = f"no file matches the pattern: there is no folder {shown(str(pattern.root))}"
        yield RefusedError("NO_MATCH", detail).at(place)
        return
    counted = _Counted(pattern)
    yield from find(pattern.root, takes, counted)
    if not counted.n_matches:
        help_ = "it matches folders only: add /** for the files in them" if counted.has_folder else (
            "patterns have * and ? within a name, ** for folders, {a,b} for alternatives"
        )  # fmt: skip
        yield RefusedError("NO_MATCH", f"no file matches the pattern; {help_}").at(place)
