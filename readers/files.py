"""Finds the files under given paths. Follows no link out of a folder. Of a file whose name says nothing, the first
bytes are read."""

from __future__ import annotations

import io
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from readers.records import BadRecord, RefusedError, shown
from readers.remote.objects import RemoteObject

#: From file name extension to format. Each extension of a text may be followed by .gz.
FORMATS = {
    ".txt": "txt",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
#: From format to the function that reads it, as module:function. A new format is one module and its lines here.
READERS = {
    "txt": "readers.txt:read_txt",
    "jsonl": "readers.jsonl:read_jsonl",
    "csv": "readers.tables:read_table",
    "tsv": "readers.conll:read_tsv",
    "conll": "readers.conll:read_conll",
}
#: The same for formats that are no text: their readers open the file themselves.
BINARY_READERS = {
    "parquet": "readers.columns:read_parquet",
    "arrow": "readers.columns:read_arrow",
}
#: Their first bytes. Such a file is read whatever its name is.
_MAGIC = {b"PAR1": "parquet", b"ARROW1": "arrow"}

_READABLE = (
    ", ".join(ending for ending, format_ in FORMATS.items() if format_ in READERS)
    + ", each also with .gz; "
    + ", ".join(ending for ending, format_ in FORMATS.items() if format_ in BINARY_READERS)
)
URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
_MAX_SUFFIXES = 20


@dataclass(frozen=True)
class DocumentFile:
    """A file with a known extension."""

    #: The file to open: never a link.
    path: Path
    #: The folder that was given; the file's own folder if the file itself was given.
    root: Path
    #: Its path relative to the given folder, or its name if the file itself was given; with "/" between the parts.
    name: str
    #: Its name in reports.
    shown: str
    #: One of the values of FORMATS.
    format: str
    is_gzip: bool
    #: The object that the file is a temporary copy of.
    remote: RemoteObject | None = None
    #: The file is a temporary copy of something that has no path.
    is_copy: bool = False


@dataclass(frozen=True)
class OtherFile:
    """A file that no reader here reads."""

    #: What to open: never a link.
    path: Path
    #: The folder that was given; the file's own where it was given itself.
    root: Path
    #: As those of DocumentFile.
    name: str
    shown: str
    #: The object that it is, if it is on no disk; its path is then its name.
    remote: RemoteObject | None = None
    #: What its folders say of it (ReadOptions.folders).
    facts: Mapping[str, str] = field(default_factory=dict)


def folder_facts(name: str, folders: Mapping[str, int]) -> dict[str, str]:
    """What the folders say that a file of this name lies in."""
    parts = name.split("/")[:-1]
    return {fact: shown(parts[place - 1]) for fact, place in folders.items() if place <= len(parts)}


#: Whether somebody else takes such a file.
Takes: TypeAlias = Callable[[OtherFile], bool]


class Accepts(Protocol):
    """Which files of a folder are meant, by their paths relative to it, with "/" between the parts."""

    def matches(self, name: str) -> bool:
        """Whether this file is."""

    def enters(self, name: str) -> bool:
        """Whether files in this folder may be."""


def nobody(_: OtherFile) -> bool:
    """Takes no file."""
    return False


def find(
    path: Path, takes: Takes = nobody, accepts: Accepts | None = None
) -> Iterator[DocumentFile | BadRecord]:
    """The file, or the files of the folder and its folders, in the order of their names; all, or those accepted.

    Hidden files (with a leading dot) are skipped; files of other types that nobody takes are counted and reported at
    the end.
    """
    name = shown(str(path))
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        yield _missing(path, error).at(name)
        return
    if stat.S_ISDIR(mode):
        yield from _walk(path, takes, accepts)
    elif not stat.S_ISREG(mode):
        yield RefusedError("NOT_A_FILE", _what_it_is(mode)).at(name)
    else:
        real = Path(os.path.realpath(path))
        if file := _document_file(real, real.parent, path.name, name):
            yield file
        elif not takes(OtherFile(real, real.parent, path.name, name)):
            yield RefusedError("UNSUPPORTED_TYPE", f"its name does not end in {_READABLE}").at(name)


def unreadable(error: OSError | ValueError) -> RefusedError:
    """An error of the operating system as a report."""
    if isinstance(error, FileNotFoundError):
        return RefusedError("NOT_FOUND", "there is no such file")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return RefusedError("UNREADABLE", f"it cannot be read: {shown(reason)}")


def _missing(path: Path, error: OSError | ValueError) -> RefusedError:
    if URL.match(str(path)):
        return RefusedError("URL_NOT_FETCHED", "it is a URL, not a path: give URLs as text, not as a Path")
    return unreadable(error)


def _walk(root: Path, takes: Takes, accepts: Accepts | None) -> Iterator[DocumentFile | BadRecord]:
    real_root = os.path.realpath(root)
    skipped: Counter[str] = Counter()
    pending: list[os.DirEntry[str] | Path] = [root]  # a stack: the depth of folders has no limit here
    while pending:
        entry = pending.pop()
        place = shown(os.fspath(entry))
        name = Path(entry).relative_to(root).as_posix()
        try:
            if isinstance(entry, Path) or entry.is_dir(follow_symlinks=False):
                if isinstance(entry, Path) or accepts is None or accepts.enters(name):
                    pending.extend(_entries(os.fspath(entry)))
                continue
            if accepts is not None and not accepts.matches(name):
                continue
            real = _inside(entry, real_root)
        except OSError as error:
            yield unreadable(error).at(place)
            continue
        except RefusedError as refused:
            yield refused.at(place)
            continue
        if real is None:
            continue
        if file := _document_file(real, Path(real_root), name, place):
            yield file
        elif not takes(OtherFile(real, Path(real_root), name, place)):
            skipped[_suffix(entry.name, skipped)] += 1
    for suffix, n_files in sorted(skipped.items()):
        files = f"1 file {suffix} was" if n_files == 1 else f"{n_files} files {suffix} were"
        detail = f"{files} skipped; docmill reads {_READABLE}"
        yield RefusedError("UNSUPPORTED_TYPE", detail).at(shown(str(root)))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Its visible entries in reverse order, to be put on a stack."""
    with os.scandir(folder) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(visible, key=lambda entry: entry.name, reverse=True)


def _inside(entry: os.DirEntry[str], real_root: str) -> Path | None:
    """The regular file behind an entry, or None for a link to a folder that is read anyway."""
    real = os.path.realpath(entry.path, strict=True)
    if entry.is_symlink() and os.path.commonpath([real, real_root]) != real_root:
        raise RefusedError(
            "LINK_LEAVES_FOLDER", "it is a link to a place outside the folder: add the target itself"
        )
    mode = Path(real).stat().st_mode
    if stat.S_ISDIR(mode):
        return None
    if not stat.S_ISREG(mode):
        raise RefusedError("NOT_A_FILE", _what_it_is(mode))
    return Path(real)


def format_of_name(name: str) -> tuple[str, bool] | None:
    """The format that a name says, and whether it is packed by gzip; None if it says none."""
    stem = name.lower()
    is_gzip = stem.endswith(".gz")
    format_ = FORMATS.get(Path(stem.removesuffix(".gz")).suffix)
    return None if format_ is None or (is_gzip and format_ in BINARY_READERS) else (format_, is_gzip)


def format_of(path: Path) -> str | None:
    """The format of a file that is known by its first bytes; None for any other."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with io.FileIO(fd, "rb") as file:
            head = file.read(max(map(len, _MAGIC)))
    except OSError:
        return None
    return next((format_ for magic, format_ in _MAGIC.items() if head.startswith(magic)), None)


def _document_file(path: Path, root: Path, name: str, place: str) -> DocumentFile | None:
    known = format_of_name(name)
    if known is None and (format_ := format_of(path)):
        known = (format_, False)
    return DocumentFile(path, root, name, place, *known) if known else None


def _suffix(name: str, known: Counter[str]) -> str:
    suffix = shown(Path(name).suffix.lower(), 20)
    ending = f"ending in {suffix}" if suffix else "without an ending"
    return ending if ending in known or len(known) < _MAX_SUFFIXES else "of other types"


def _what_it_is(mode: int) -> str:
    names = {
        stat.S_ISFIFO: "a FIFO",
        stat.S_ISSOCK: "a socket",
        stat.S_ISCHR: "a device",
        stat.S_ISBLK: "a device",
    }
    what = next((name for test, name in names.items() if test(mode)), "something else")
    return f"it is {what}, not a regular file"
