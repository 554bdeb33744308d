"""What the store refuses, and why. Each message says what to do about it."""


class StoreError(Exception):
    """Root of the errors that the store raises on purpose."""


class NotFoundError(StoreError):
    """Something named by the user does not exist."""


class ConflictError(StoreError):
    """The request contradicts what is already stored."""


class FencedError(StoreError):
    """This worker no longer holds the chunk: another claimed it, or the job was cancelled. Drop the work."""


class UnsafeStoreError(StoreError):
    """The database is set up so that a power cut could lose committed rows; docmill refuses to use it."""


class OldSchemaError(StoreError):
    """The database's tables are older or newer than this version of docmill."""


class NewerSchemaError(OldSchemaError):
    """The database was upgraded by a newer docmill than this one: nothing is claimed or changed any more."""
