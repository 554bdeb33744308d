"""One object into a file: bounded in size and time, and continued where the connection broke."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from readers.remote import buckets, urls, web
from readers.remote.objects import (
    ObjectChangedError,
    ObjectRefusedError,
    RemoteObject,
    UnreachableError,
)
from readers.remote.policy import Policy
from readers.remote.urls import BUCKETS, Url

#: Attempts in a row that bring no byte; and the pause before the second, which doubles.
_ATTEMPTS = 4
_PAUSE_SECONDS = 0.25


@dataclass(frozen=True)
class Bounds:
    """How much one object may cost."""

    bytes: int
    seconds: float = 3600.0


def stat(text: str, policy: Policy) -> RemoteObject:
    """The object at a URL."""
    url = urls.parse(text)
    policy.check(url)
    last: UnreachableError | None = None
    for _ in _tries():
        try:
            return buckets.stat(url) if url.scheme in BUCKETS else web.stat(url, policy)
        except UnreachableError as error:
            last = error
    assert last is not None
    raise last


def head(wanted: RemoteObject, policy: Policy, n_bytes: int = 64 * 1024) -> bytes:
    """The first bytes of an object, or more."""
    url = urls.parse(wanted.url)
    policy.check(url)
    source = _Bucket(url, wanted) if url.scheme in BUCKETS else _Web(url, policy, wanted)
    last: UnreachableError | None = None
    for _ in _tries():
        found = b""
        try:
            with source.opened(0) as (_, blocks):
                for block in blocks:
                    found += block
                    if len(found) >= n_bytes:
                        break
            return found
        except UnreachableError as error:
            last = error
    assert last is not None
    raise last


def fetch(
    wanted: RemoteObject,
    target: BinaryIO,
    policy: Policy,
    bounds: Bounds,
    beat: Callable[[], None] = lambda: None,
) -> RemoteObject:
    """Write the content to an empty file; returns the object as it was read. ObjectChangedError if it is of another
    version than `wanted`. Each interruption is retried, from where it was if the storage can prove that the content is
    the same."""
    url = urls.parse(wanted.url)
    policy.check(url)
    until = time.monotonic() + bounds.seconds
    if wanted.size > bounds.bytes:
        raise _too_large(bounds)
    source = _Bucket(url, wanted) if url.scheme in BUCKETS else _Web(url, policy, wanted)
    last: UnreachableError | None = None
    tries = _tries()
    while next(tries, None) is not None:
        try:
            with source.opened(target.tell()) as (start, blocks):
                target.seek(start)
                target.truncate()
                for block in blocks:
                    target.write(block)
                    beat()
                    if target.tell() > bounds.bytes:
                        raise _too_large(bounds)
                    if time.monotonic() > until:
                        raise UnreachableError(f"{url} did not arrive within {bounds.seconds:g} seconds")
                    tries = _tries()
            if source.size is not None and target.tell() < source.size:
                raise UnreachableError(f"{url} ended after {target.tell():,} of {source.size:,} bytes")
            target.flush()
            return RemoteObject(wanted.url, wanted.name, target.tell(), source.version, wanted.modified)
        except UnreachableError as error:
            last = error
            if time.monotonic() > until:
                break
    assert last is not None
    raise last


def _tries() -> Iterator[int]:
    """Numbers of attempts, with a pause before each but the first."""
    for number in range(_ATTEMPTS):
        if number:
            time.sleep(_PAUSE_SECONDS * 2 ** (number - 1))
        yield number + 1


class _Bucket:
    """Content of a bucket: every part of it is of one version."""

    def __init__(self, url: Url, wanted: RemoteObject) -> None:
        self._url, self.version = url, wanted.version
        self.size: int | None = wanted.size

    @contextmanager
    def opened(self, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        if start and start == self.size:
            yield start, iter(())
        else:
            yield start, buckets.blocks(self._url, start, self.version)


class _Web:
    """Content of a web server."""

    def __init__(self, url: Url, policy: Policy, wanted: RemoteObject) -> None:
        self._url, self._policy = url, policy
        self._wanted = self.version = wanted.version
        self.size: int | None = None

    @contextmanager
    def opened(self, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        with web.opened(self._url, self._policy, start, self.version) as answer:
            if self._wanted and answer.version != self._wanted:
                raise ObjectChangedError(f"{self._url} has changed")
            self.version, self.size = answer.version, answer.size
            yield answer.start, answer.blocks()


def _too_large(bounds: Bounds) -> ObjectRefusedError:
    return ObjectRefusedError("TOO_LARGE", f"it is larger than {bounds.bytes:,} bytes")
