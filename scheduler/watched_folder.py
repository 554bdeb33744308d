"""A folder whose new files are added as they arrive. Knows when a file is complete; what adding means, `adding` knows.

A file is taken once its size and time have not changed for a while, and again only after it changed. What was taken is
remembered in memory: after a restart everything is added once more, and the store finds that it has it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from readers.records import BadRecord

#: Inode, size and time of the last change.
Mark: TypeAlias = tuple[int, int, int]
#: Endings of files that another program is still writing; hidden files are such, too.
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp", ".temp", ".filepart", ".swp", "~")
_LOCKS = ("~$", ".~lock.")
#: Reports after which a file is tried again: they are not about its content.
_PASSING = ("CHANGED_WHILE_READ", "NOT_FOUND")


@dataclass
class WatchedFolder:
    """What is in a folder, from look to look."""

    folder: Path
    #: How long a file must not change.
    settle_seconds: float
    #: What has been seen of each file, and since when it is so; by its path relative to the folder.
    _seen: dict[str, tuple[Mark, float]] = field(default_factory=dict)
    _taken: dict[str, Mark] = field(default_factory=dict)

    def look(self, now: float) -> Mapping[str, Mark]:
        """The files that are complete and have not been taken. `now` is a time that never goes back. OSError if the
        folder cannot be read."""
        there = dict(_files(self.folder))
        self._seen = {name: self._since(name, mark, now) for name, mark in there.items()}
        self._taken = {name: mark for name, mark in self._taken.items() if there.get(name) == mark}
        return {
            name: mark
            for name, (mark, since) in self._seen.items()
            if name not in self._taken and now - since >= self.settle_seconds
        }

    def _since(self, name: str, mark: Mark, now: float) -> tuple[Mark, float]:
        before = self._seen.get(name)
        return before if before is not None and before[0] == mark else (mark, now)

    @property
    def growing(self) -> list[str]:
        """Files that are there and have not been taken."""
        return sorted(name for name in self._seen if name not in self._taken)

    def taken(self, files: Mapping[str, Mark], bad: Callable[[], Iterator[BadRecord]]) -> None:
        """These files were added. Those that changed or vanished meanwhile are looked at again."""
        again = {record.source for record in bad() if record.code in _PASSING}
        self._taken |= {
            name: mark for name, mark in files.items() if not {str(self.folder / name), name} & again
        }


@dataclass(frozen=True)
class Only:
    """Accepts these files of a folder."""

    names: Mapping[str, Mark]

    def matches(self, name: str) -> bool:
        return name in self.names

    def enters(self, name: str) -> bool:
        beginning = f"{name}/"
        return any(each.startswith(beginning) for each in self.names)


def _files(root: Path) -> Iterator[tuple[str, Mark]]:
    """The regular files of a folder and its folders that somebody may have finished."""
    pending = [os.fspath(root)]
    while pending:
        folder = pending.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            if folder == os.fspath(root):
                raise
            continue
        for entry in entries:
            if entry.name.startswith((".", *_LOCKS)) or entry.name.lower().endswith(_UNFINISHED):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                    continue
                found = entry.stat()
            except OSError:  # it vanished
                continue
            if stat.S_ISREG(found.st_mode):
                name = Path(entry.path).relative_to(root).as_posix()
                yield name, (found.st_ino, found.st_size, found.st_mtime_ns)
