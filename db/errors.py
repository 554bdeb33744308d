"""What the store refuses, and why. Each message says what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.selection import LeftOut


class DocmillError(Exception):
    """Root of the errors that docmill raises on purpose."""


class StoreError(DocmillError):
    """The store refuses a request, or cannot be used."""


class NotFoundError(StoreError):
    """Something named by the user does not exist."""


class ConflictError(StoreError):
    """The request contradicts what is already stored."""


class NothingToDoError(StoreError):
    """A job would have no document, so none is made. `left_out` says why, where only new ones were asked for."""

    def __init__(self, message: str, left_out: LeftOut | None = None) -> None:
        super().__init__(message)
        self.left_out = left_out


class FencedError(StoreError):
    """This worker no longer holds the chunk: another claimed it, or the job was cancelled. Drop the work."""


class NoStoreError(NotFoundError):
    """Nobody has made a store where it was looked for."""


class UnsafeStoreError(StoreError):
    """The database is set up so that a power cut could lose committed rows; docmill refuses to use it."""


class OldSchemaError(StoreError):
    """The database's tables are older or newer than this version of docmill."""


class NewerSchemaError(OldSchemaError):
    """The database was upgraded by a newer docmill than this one: nothing is claimed or changed any more."""
