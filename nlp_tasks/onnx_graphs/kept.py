"""Graphs that this machine keeps, by the model that they were made of, so that each is made once.

A folder of graphs has a manifest, and is made beside its place and moved there whole. One process makes it; the others
wait. What is damaged, or was written by other versions of torch, is made again. Folders that nobody opened for a month
are removed when another one is made.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from nlp_tasks import heartbeat, model_files
from nlp_tasks.errors import ModelFileError

log = logging.getLogger("docmill.worker")

#: Counts up when networks are cut or written differently.
FORMAT = 1
#: Folders that were not opened for so long are removed.
KEPT_SECONDS = 30 * 24 * 3600.0
_WAIT_SECONDS = 0.1


def folder(parent: Path, model_dir: Path, make: Callable[[Path], None]) -> Path:
    """The folder with the graphs of a model version. `make` writes them into an empty folder if they are not there."""
    target = parent / _key(model_dir)
    if _is_whole(target):
        return target
    parent.mkdir(parents=True, exist_ok=True)
    with _alone(parent):
        if _is_whole(target):
            return target
        _remove_old(parent)
        made = Path(tempfile.mkdtemp(dir=parent, prefix=".making-"))
        try:
            make(made)
            model_files.seal(made)
            shutil.rmtree(target, ignore_errors=True)
            made.rename(target)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return target


def _key(model_dir: Path) -> str:
    parts = (model_files.sha256_of(model_dir / model_files.MANIFEST), str(FORMAT), version("torch"))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:32]


def _is_whole(target: Path) -> bool:
    if not target.is_dir():
        return False
    try:
        model_files.check(target, model_files.kept_sha256_of)
    except ModelFileError as error:
        log.warning("graphs are made again: %s", error)
        return False
    os.utime(target)
    return True


def _remove_old(parent: Path) -> None:
    for path in parent.iterdir():
        if path.is_dir() and time.time() - path.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """No other process of this machine makes graphs here meanwhile."""
    with (parent / ".lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                heartbeat.beat()
                time.sleep(_WAIT_SECONDS)
        yield
