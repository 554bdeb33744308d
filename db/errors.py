"""The errors of the store. Each message says what to do about it."""

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


class NoSuchJobError(NotFoundError):
    """No job has this number."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"there is no job {job_id}: `docmill status` lists the jobs")


class ConflictError(StoreError):
    """The request contradicts what is already stored."""


class NothingToDoError(StoreError):
    """A job would have no document, so it is not made. For a job over new documents, `left_out` says why."""

    def __init__(self, message: str, left_out: LeftOut | None = None) -> None:
        super().__init__(message)
        self.left_out = left_out


class FencedError(StoreError):
    """This worker no longer holds the chunk: another claimed it, or the job was cancelled. Drop the work."""


class NoStoreError(NotFoundError):
    """There is no store in this place yet."""


class UnsafeStoreError(StoreError):
    """The database is set up so that a power cut could lose committed rows; docmill refuses to use it."""


class OldSchemaError(StoreError):
    """The database's tables are older or newer than this version of docmill."""


class DrainedError(StoreError):
    """This worker is drained: it claims nothing until somebody undrains it."""


class NewerCodeError(StoreError):
    """The job was submitted by a docmill whose kind gives other results: a worker of that version has to run it."""


class NewerSchemaError(OldSchemaError):
    """A newer docmill has upgraded the database: this one claims and changes nothing any more."""
