"""Backups as folders and as tar files. A backup appears under its name whole or not at all.

Independent of stores and models.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import secrets
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from db.errors import ConflictError, NotFoundError, StoreError
from docmill.backup import manifest
from docmill.backup.manifest import File, Manifest

#: Suffix of a backup that is one file -> how tarfile compresses it. Any other name is a folder.
SUFFIXES = {".tar": "", ".tar.gz": "gz", ".tgz": "gz"}
_PIECE = 1 << 20

#: (bytes done) -> nothing.
Tell = Callable[[int], None]


class Sink(Protocol):
    """A backup that is being written."""

    #: A folder on the same disk, for what is made before it is added.
    work: Path

    def add(self, name: str, source: Path, tell: Tell) -> File:
        """Copy a file into the backup."""

    def finish(self, content: bytes) -> None:
        """Write the manifest. Nothing may be added after it."""


class Source(Protocol):
    """A backup that is read."""

    path: Path

    @property
    def manifest(self) -> Manifest: ...

    def files(self) -> Iterator[tuple[str, IO[bytes]]]:
        """Every file beside the manifest, in the order in which it lies there; each has to be read before the next."""


@contextmanager
def created(path: Path) -> Iterator[Sink]:
    """A new backup; `path` must not exist. What is written appears under that name at the end of the block. After an
    exception nothing is left."""
    if os.path.lexists(path):
        raise ConflictError(f"{path} exists already: choose another name, as in backups/{{date}}-{{time}}")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(path)
    work = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    work.mkdir(mode=0o700)
    handle = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Held while it is written: another backup of this name knows by it that this one lives.
        fcntl.flock(handle, fcntl.LOCK_EX)
        compression = _compression(path)
        if compression is None:
            yield _NewFolder(work, work / "backup")
            made = work / "backup"
        else:
            made = work / "backup.tar"
            with tarfile.open(made, f"w:{compression}", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
                yield _NewTar(work, tar)
            _sync(made)
        made.rename(path)
        _sync(path.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(handle)


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """A backup to read; StoreError if there is none, or if its manifest cannot be read."""
    if path.is_dir():
        yield _Folder(path)
        return
    if not path.is_file():
        raise NotFoundError(f"there is no backup at {path}")
    with _opened_tar(path) as tar:
        yield _Tar(path, tar)


def copied(source: IO[bytes], target: IO[bytes] | None, tell: Tell) -> tuple[int, str]:
    """(bytes, sha256) of what is read to its end, and written to `target` if there is one."""
    digest, n_bytes = hashlib.sha256(), 0
    while piece := source.read(_PIECE):
        digest.update(piece)
        n_bytes += len(piece)
        if target is not None:
            target.write(piece)
        tell(len(piece))
    return n_bytes, digest.hexdigest()


class _NewFolder:
    def __init__(self, work: Path, folder: Path) -> None:
        self.work = work
        self._folder = folder
        folder.mkdir()

    def add(self, name: str, source: Path, tell: Tell) -> File:
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as before, target.open("xb") as after:
            n_bytes, sha256 = copied(before, after, tell)
            after.flush()
            os.fsync(after.fileno())
        return File(name, n_bytes, sha256)

    def finish(self, content: bytes) -> None:
        path = self._folder / manifest.NAME
        path.write_bytes(content)
        _sync(path)
        for folder, _, _ in os.walk(self._folder):
            _sync(Path(folder))


class _NewTar:
    def __init__(self, work: Path, tar: tarfile.TarFile) -> None:
        self.work = work
        self._tar = tar

    def add(self, name: str, source: Path, tell: Tell) -> File:
        with source.open("rb") as file:
            n_bytes = os.fstat(file.fileno()).st_size
            hashing = _Hashing(file, tell)
            self._tar.addfile(self._entry(name, n_bytes), hashing)
        return File(name, n_bytes, hashing.digest.hexdigest())

    def finish(self, content: bytes) -> None:
        self._tar.addfile(self._entry(manifest.NAME, len(content)), io.BytesIO(content))

    def _entry(self, name: str, n_bytes: int) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = n_bytes, 0o600
        return entry


class _Hashing:
    """A file that remembers the digest of what was read."""

    def __init__(self, file: IO[bytes], tell: Tell) -> None:
        self._file = file
        self._tell = tell
        self.digest = hashlib.sha256()

    def read(self, n: int = -1) -> bytes:
        piece = self._file.read(n)
        self.digest.update(piece)
        self._tell(len(piece))
        return piece


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def manifest(self) -> Manifest:
        file = self.path / manifest.NAME
        if not file.is_file():
            raise StoreError(f"{self.path} is no backup: it has no {manifest.NAME}")
        return manifest.read(file.read_bytes(), str(self.path))

    def files(self) -> Iterator[tuple[str, IO[bytes]]]:
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path).as_posix()
            if path.is_file() and name != manifest.NAME:
                with path.open("rb") as file:
                    yield name, file


class _Tar:
    def __init__(self, path: Path, tar: tarfile.TarFile) -> None:
        self.path = path
        self._tar = tar

    @property
    def manifest(self) -> Manifest:
        with _readable(self.path):
            try:
                file = self._tar.extractfile(manifest.NAME)
            except KeyError:
                file = None
            if file is None:
                raise StoreError(f"{self.path} is no backup, or is cut off: it has no {manifest.NAME}")
            return manifest.read(file.read(), str(self.path))

    def files(self) -> Iterator[tuple[str, IO[bytes]]]:
        with _readable(self.path):
            for entry in self._tar:
                file = self._tar.extractfile(entry) if entry.isfile() else None
                if file is not None and entry.name != manifest.NAME:
                    yield entry.name, file


def _opened_tar(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path, "r:*")
    except (tarfile.TarError, EOFError) as error:
        raise StoreError(f"{path} is no backup: {error}") from error


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What tarfile and gzip say of damage, as our error."""
    try:
        yield
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise StoreError(f"{path} is damaged: {error}") from error


def _compression(path: Path) -> str | None:
    return next((how for suffix, how in SUFFIXES.items() if path.name.endswith(suffix)), None)


def _remove_left(path: Path) -> None:
    """Remove what backups of this name left that were killed."""
    for left in path.parent.glob(f".{path.name}.*.part"):
        with suppress(OSError):
            handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(handle)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
