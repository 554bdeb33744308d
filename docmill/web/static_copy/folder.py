"""A folder that is replaced as a whole: whoever reads it sees the old files or the new ones, never some of each."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: A folder with this file is ours, and may be replaced.
MARK = "docmill-pages.json"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextlib.contextmanager
def replaced(wanted: Path) -> Iterator[Path]:
    """An empty folder to write into. It takes the place of the wanted one at the end, unless there is an exception.
    ValueError if there is something else than an empty folder or one with MARK."""
    # Where a link leads to is replaced, not the link.
    target = wanted.resolve()
    check(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name}.new-"
    _remove_leftovers(target.parent, prefix)
    new = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    descriptor = os.open(new, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield new
        new.chmod(0o777 & ~_umask())
        _put(new, target)
    finally:
        # After an exchange, this is what was there before.
        shutil.rmtree(new, ignore_errors=True)
        os.close(descriptor)


def check(target: Path) -> None:
    """ValueError if what is there is not ours to replace."""
    if not target.exists():
        return
    if not target.is_dir():
        raise ValueError(f"{target} is a file: name a folder")
    if any(target.iterdir()) and not (target / MARK).is_file():
        raise ValueError(
            f"{target} holds other files, which would be removed: name a folder that is new, empty, or was written by "
            "this command"
        )


def _put(new: Path, target: Path) -> None:
    if not target.exists():
        new.rename(target)
    elif not _exchange(new, target):
        # Where the file system cannot exchange two folders, there is none for a moment.
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
        target.rename(old)
        new.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Whether both have changed places, in one step."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(other))


def _remove_leftovers(parent: Path, prefix: str) -> None:
    """Of runs that were killed. One that still writes holds a lock."""
    for left in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(descriptor)


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now
