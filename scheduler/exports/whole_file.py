"""Files that are there whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to. At the end of the block what lies there is on the disk and takes the place of
    `path`; after an exception it is gone, and `path` is as it was."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file: name a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(path)
    part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        # Held while it is written: another export of the same file knows by it that this one lives.
        with part.open("xb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield part
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(path)
        _sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_left(path: Path) -> None:
    """Remove what exports of this file left that were killed."""
    for left in path.parent.iterdir():
        if not left.name.startswith(f".{path.name[:100]}.") or ".part" not in left.name:
            continue
        with suppress(OSError):
            if left.is_dir():
                # XlsxWriter's; its own part is beside it.
                if not Path(str(left).rpartition(".part")[0] + ".part").exists():
                    shutil.rmtree(left, ignore_errors=True)
                continue
            with left.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
