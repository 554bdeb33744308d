"""A file that a program has uploaded, as a file of this machine, for as long as it is read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from nlp_tasks.errors import DocumentError

if TYPE_CHECKING:
    from nlp_tasks.extraction.stored_file import StoredFile

#: How the path of such a file begins; its id and its name follow.
IN_STORE = "store://"
#: Writes the content of an upload, by its id, to a file; LookupError if it was deleted.
Uploads: TypeAlias = Callable[[str, IO[bytes]], None]


@contextmanager
def copied(file: StoredFile, uploads: Uploads | None, beat: Callable[[], None]) -> Iterator[Path]:
    """A temporary copy. DocumentError FILE_MISSING if the upload was deleted."""
    from nlp_tasks.extraction.stored_file import digest_of

    upload_id = file.path.removeprefix(IN_STORE).partition("/")[0]
    with tempfile.NamedTemporaryFile(prefix="docmill-upload-") as copy:
        try:
            if uploads is None:
                raise LookupError
            uploads(upload_id, copy)
        except LookupError:
            raise DocumentError("FILE_MISSING", f"the uploaded file {upload_id} was deleted") from None
        copy.flush()
        path = Path(copy.name)
        if digest_of(path, beat) != (file.sha256, file.size):
            raise file.changed()
        yield path
