"""The errors that docmill raises on purpose. Each message says what to do.

    DocmillError
    ├── InvalidRequestError      also a ValueError: an unknown kind or parameter, a value out of range, a bad query
    ├── WaitTimeoutError         also a TimeoutError: a job has not ended in the time that `Job.wait` was given
    └── StoreError               the store refuses a request, or cannot be used
        ├── NotFoundError        a collection, model or job does not exist
        │   └── NoStoreError     there is no store yet: add documents first
        ├── ConflictError        the request contradicts what is stored: a key that another request has used
        ├── NothingToDoError     a job would have no documents, so none is made
        ├── UnsafeStoreError     the database could lose committed rows in a power cut
        ├── OldSchemaError       the tables are of another version: run `docmill db upgrade`
        │   └── NewerSchemaError the tables are of a newer version: install that version here
        └── UnreachableStoreError  the database does not answer

What cannot be read in a file or record raises nothing: it is a `BadRecord` in the `Report`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from db.database_errors import is_infrastructure_error, words
from db.errors import (
    ConflictError,
    DocmillError,
    NewerSchemaError,
    NoStoreError,
    NotFoundError,
    NothingToDoError,
    OldSchemaError,
    StoreError,
    UnsafeStoreError,
)
from readers import BadRecord

__all__ = [
    "BadRecord",
    "ConflictError",
    "DocmillError",
    "InvalidRequestError",
    "NewerSchemaError",
    "NoStoreError",
    "NotFoundError",
    "NothingToDoError",
    "OldSchemaError",
    "StoreError",
    "UnreachableStoreError",
    "UnsafeStoreError",
    "WaitTimeoutError",
]


class InvalidRequestError(DocmillError, ValueError):
    """The request itself is wrong: an unknown kind or parameter, a value out of range, a query that is no SELECT."""


class WaitTimeoutError(DocmillError, TimeoutError):
    """A job has not ended within the time given. It continues."""


class UnreachableStoreError(StoreError):
    """The database does not answer, or closed the connection. Try again later."""


@contextmanager
def only_docmill_errors() -> Iterator[None]:
    """Turn the errors of the layers below into those of this module."""
    try:
        yield
    except DocmillError:
        raise
    except ValueError as error:
        # Its subclasses are defects: a text that cannot be decoded, say. QueryError is one of the user's.
        if type(error) is not ValueError:
            raise
        raise InvalidRequestError(str(error)) from error
    except Exception as error:
        if not is_infrastructure_error(error):
            raise
        raise UnreachableStoreError(f"the store does not answer: {words(error)}") from error
