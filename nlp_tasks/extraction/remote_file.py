"""An object of remote storage as a file of this machine, for as long as it is read."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nlp_tasks.errors import DocumentError, StorageError
from readers.extraction.supported import is_named_document, supported_head
from readers.remote.objects import (
    ObjectChangedError,
    ObjectGoneError,
    ObjectRefusedError,
    RemoteError,
    RemoteObject,
)
from readers.remote.policy import Policy

if TYPE_CHECKING:
    from nlp_tasks.extraction.stored_file import StoredFile
    from readers.remote.fetching import Bounds

#: Between two heartbeats while the network is waited for.
_BEAT_SECONDS = 0.5
#: Of an object that has to be fetched to be registered.
_MAX_BYTES = 8 * 1024**3
#: What is wrong with a worker's set-up rather than with an object.
_OF_THE_WORKER = ("URL_NOT_ALLOWED", "NOT_INSTALLED")


def registered(found: RemoteObject, policy: Policy) -> StoredFile | None:
    """An object to be registered; None if no extraction reads such a file. RemoteError if it cannot be read."""
    from nlp_tasks.extraction.stored_file import StoredFile, digest_of
    from readers.remote.fetching import Bounds, fetch, head

    sha256, size = "", found.size
    media_type: str | None = "application/octet-stream"
    if not is_named_document(found.name):
        media_type = supported_head(head(found, policy))
    if media_type is not None and not found.version:
        with tempfile.NamedTemporaryFile(prefix="docmill-fetch-") as copy:
            fetch(found, copy, policy, Bounds(_MAX_BYTES))  # type: ignore[arg-type]
            sha256, size = digest_of(Path(copy.name))
    return None if media_type is None else StoredFile(found.url, "", size, sha256, media_type, found.version)


@contextmanager
def fetched(file: StoredFile, beat: Callable[[], None], policy: Policy, bounds: Bounds) -> Iterator[Path]:
    """A temporary copy. DocumentError FILE_MISSING, FILE_CHANGED, FILE_UNREADABLE or TOO_LARGE. StorageError if the
    storage cannot be reached from here, or this worker may not read it: no file is to blame."""
    with tempfile.NamedTemporaryFile(prefix="docmill-fetch-") as copy:
        try:
            _fetch(file, copy, beat, policy, bounds)
        except RemoteError as error:
            raise _as_ours(error, file) from None
        path = Path(copy.name)
        if file.sha256:
            _check(file, path, beat)
        yield path


def _fetch(
    file: StoredFile, copy: IO[bytes], beat: Callable[[], None], policy: Policy, bounds: Bounds
) -> None:
    """Fetch in a thread. The wait for a network is bounded and uses no CPU time: it is no hang."""
    from readers.remote.fetching import fetch

    raised: list[BaseException] = []
    stop = threading.Event()

    def go_on() -> None:
        if stop.is_set():
            raise RemoteError("nobody waits for it any more")

    def run() -> None:
        try:
            wanted = RemoteObject(file.path, file.path, file.size, file.version)
            fetch(wanted, copy, policy, bounds, go_on)  # type: ignore[arg-type]
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="fetch", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_BEAT_SECONDS)
            beat()
    finally:
        stop.set()
    if raised:
        raise raised[0]


def _check(file: StoredFile, path: Path, beat: Callable[[], None]) -> None:
    from nlp_tasks.extraction.stored_file import digest_of

    if digest_of(path, beat) != (file.sha256, file.size):
        raise file.changed()


def _as_ours(error: RemoteError, file: StoredFile) -> Exception:
    if isinstance(error, ObjectGoneError):
        return DocumentError("FILE_MISSING", f"{file.path} is not there any more")
    if isinstance(error, ObjectChangedError):
        return file.changed()
    if isinstance(error, ObjectRefusedError) and error.code not in _OF_THE_WORKER:
        code = error.code if error.code == "TOO_LARGE" else "FILE_UNREADABLE"
        return DocumentError(code, f"{file.path}: {error.detail}")
    return StorageError(f"{file.path} cannot be fetched: {error}")
