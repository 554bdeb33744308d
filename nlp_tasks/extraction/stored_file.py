"""A file that is registered, and whether it is still the one that was. Does not know file formats."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from nlp_tasks.endpoint import Upload
from nlp_tasks.errors import DocumentError, StorageError
from nlp_tasks.extraction import remote_file, uploaded_file
from nlp_tasks.extraction.uploaded_file import IN_STORE, Uploads
from readers.remote.policy import Policy

if TYPE_CHECKING:
    from readers.remote.fetching import Bounds

_BLOCK_BYTES = 1024 * 1024
#: Inode, size and time of the last change.
Mark: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where a file is, and what it was when it was registered."""

    #: A path, the URL of an object, or IN_STORE with the id of an upload and its name.
    path: str
    #: The folder that was added, or the file's own: where it is missing too, the file is not to blame.
    root: str
    size: int
    #: Empty for an object whose storage tells its versions apart.
    sha256: str
    #: By its content.
    media_type: str
    #: Of an object: what its storage says of the version. Empty for a file.
    version: str = ""

    def as_text(self) -> str:
        """As the store keeps it."""
        fields = asdict(self)
        if not self.is_remote:
            del fields["version"]
        return json.dumps(fields, ensure_ascii=False, sort_keys=True)

    @property
    def is_remote(self) -> bool:
        """Whether it is on no disk."""
        return "://" in self.path

    @property
    def identity(self) -> str:
        """Equal for equal content: the digest of the bytes, or the object's version with its size. A version belongs
        to one object: the same one elsewhere says nothing."""
        return self.sha256 or f"{self.version} {self.size} {self.path}"

    @classmethod
    def from_text(cls, text: str) -> StoredFile:
        """The way back. DocumentError for a text that describes no file."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            raise DocumentError("NOT_A_FILE", "this document describes no file: add the file again") from None

    @classmethod
    def of_upload(cls, upload: Upload) -> StoredFile:
        """A file that is in the store."""
        return cls(f"{IN_STORE}{upload.id}/{upload.filename}", "", upload.n_bytes, upload.sha256, "")

    @contextmanager
    def opened(
        self, beat: Callable[[], None], policy: Policy, bounds: Bounds, uploads: Uploads | None = None
    ) -> Iterator[Path]:
        """A path at which the registered content can be read; DocumentError FILE_CHANGED on entry or on exit if it is
        another one by now. For an object or upload, that of a temporary copy. Other errors are those of `check`."""
        if self.path.startswith(IN_STORE):
            with uploaded_file.copied(self, uploads, beat) as path:
                yield path
            return
        if self.is_remote:
            with remote_file.fetched(self, beat, policy, bounds) as path:
                yield path
            return
        mark = self.check(beat)
        yield Path(self.path)
        self.check_again(mark)

    def check(self, beat: Callable[[], None]) -> Mark:
        """What shows later whether the file is still the registered one, which it is now; else DocumentError
        FILE_MISSING, FILE_CHANGED or FILE_UNREADABLE. StorageError if its folder is not on this machine."""
        try:
            mark = _mark(Path(self.path))
            found = digest_of(Path(self.path), beat)
        except OSError as error:
            raise self._blamed(error) from None
        if found != (self.sha256, self.size):
            raise self.changed()
        return mark

    def check_again(self, mark: Mark) -> None:
        """The same, after it was read."""
        try:
            now = _mark(Path(self.path))
        except OSError as error:
            raise self._blamed(error) from None
        if now != mark:
            raise self.changed()

    def changed(self) -> DocumentError:
        """The error of a file that is another one by now."""
        return DocumentError(
            "FILE_CHANGED", f"{self.path} has changed since it was added: `docmill add` it again"
        )

    def _blamed(self, error: OSError) -> Exception:
        """Who is to blame for a file that cannot be read: the file, or the machine."""
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            if not _holds_something(Path(self.root)):
                return StorageError(
                    f"the folder {self.root} is not there, or empty: mount it on every worker, or cancel the job"
                )
            return DocumentError("FILE_MISSING", f"{self.path} is not there any more")
        if error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO):
            return DocumentError("FILE_UNREADABLE", f"{self.path}: {error.strerror}")
        return StorageError(f"{self.path} cannot be read: {error.strerror}")


def digest_of(path: Path, beat: Callable[[], None] = lambda: None) -> tuple[str, int]:
    """sha256 and size of a regular file that is no link; OSError if it cannot be read."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with io.FileIO(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.ENXIO, "it is not a regular file")
        digest, size = hashlib.sha256(), 0
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            beat()
    return digest.hexdigest(), size


def _mark(path: Path) -> Mark:
    """What changes when the file is written or replaced."""
    found = path.stat(follow_symlinks=False)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _holds_something(folder: Path) -> bool:
    """Whether the folder is there with something in it: a mount point without its mount is empty."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
