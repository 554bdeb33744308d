"""The errors that docmill raises on purpose. Each message says what to do.

    DocmillError
    ├── InvalidRequestError      also a ValueError: an unknown kind or parameter, a value out of range, a bad query
    ├── WaitTimeoutError         also a TimeoutError: a job has not ended in the time that `Job.wait` was given
    ├── MissingPackageError      also an ImportError: a package is not installed; the message has the command for it
    ├── UnsupportedError         also a NotImplementedError: not possible over HTTP; the message names the way
    ├── AccessError              also a PermissionError: the server does not know the key, or its role is too low
    └── StoreError               the store refuses a request, or cannot be used
        ├── NotFoundError        a collection, model or job does not exist
        │   └── NoStoreError     there is no store yet: add documents first
        ├── ConflictError        the request contradicts what is stored: a key that another request has used
        ├── NothingToDoError     a job would have no documents, so none is made
        ├── UnsafeStoreError     the database could lose committed rows in a power cut
        ├── OldSchemaError       the tables are of another version: run `docmill db upgrade`
        │   └── NewerSchemaError the tables are of a newer version: install that version here
        └── UnreachableStoreError  the database or the server does not answer
            └── BusyServerError  the server refuses further requests for now: too many arrived

The same request raises the same error with the store and over HTTP. What cannot be read in a file or record raises
nothing: it is a `BadRecord` in the `Report`.
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
    "AccessError",
    "BadRecord",
    "BusyServerError",
    "ConflictError",
    "DocmillError",
    "InvalidRequestError",
    "MissingPackageError",
    "NewerSchemaError",
    "NoStoreError",
    "NotFoundError",
    "NothingToDoError",
    "OldSchemaError",
    "StoreError",
    "UnreachableStoreError",
    "UnsafeStoreError",
    "UnsupportedError",
    "WaitTimeoutError",
]


class InvalidRequestError(DocmillError, ValueError):
    """The request itself is wrong: an unknown kind or parameter, a value out of range, a query that is no SELECT."""


class WaitTimeoutError(DocmillError, TimeoutError):
    """A job has not ended within the time given. It continues."""


class MissingPackageError(DocmillError, ImportError):
    """A package that this needs is not installed. The message has the command that installs it."""


class UnsupportedError(DocmillError, NotImplementedError):
    """This is not possible over HTTP. The message names the way that is."""


class AccessError(DocmillError, PermissionError):
    """The server does not know the key, or the key's role does not allow this."""


class UnreachableStoreError(StoreError):
    """The database or the server does not answer, or closed the connection. Try again later."""


class BusyServerError(UnreachableStoreError):
    """The server refuses further requests for now, and did so until the client gave up."""


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
