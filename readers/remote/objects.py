"""An object of remote storage, and what can go wrong with one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """An object as its storage describes it."""

    url: str
    #: Its path relative to the URL that was given, or its name if it was given itself.
    name: str
    size: int
    #: Changes whenever the content does: "etag:..." or "modified:..."; empty if the storage says neither.
    version: str
    #: When it was changed last, in ISO 8601; empty if the storage does not say.
    modified: str = ""


class RemoteError(Exception):
    """Base class. The message never contains credentials."""


class UnreachableError(RemoteError):
    """The storage does not answer, fails or refuses the credentials. The object is not to blame: try again later."""


class ObjectGoneError(RemoteError):
    """There is no such object."""


class ObjectChangedError(RemoteError):
    """The object is no longer the one that was asked for."""


class ObjectRefusedError(RemoteError):
    """The object cannot be had: it is too large, forbidden, or its URL is not allowed."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
