"""From a URL to the files there: texts and tables are copied to a temporary file and read at once; for others, a job is
given the URL."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from readers.files import DocumentFile, OtherFile, Takes, find, format_of_name
from readers.records import BadRecord, RefusedError, shown
from readers.remote import buckets, urls
from readers.remote.fetching import Bounds, fetch, stat
from readers.remote.objects import (
    ObjectChangedError,
    ObjectGoneError,
    ObjectRefusedError,
    RemoteError,
    RemoteObject,
)
from readers.remote.policy import Policy
from readers.remote.urls import BUCKETS, Url

#: A larger text or table is refused; as a file on a disk it is not.
MAX_BYTES = 8 * 1024**3


def find_url(text: str, policy: Policy, takes: Takes) -> Iterator[DocumentFile | BadRecord]:
    """The objects at a URL; those below it, if it ends in a slash and is of a bucket. An object that cannot be read is
    reported, and the others are read. Each temporary file is there until the next one is asked for."""
    place = shown(_without_secrets(text), 300)
    try:
        url = urls.parse(text)
        policy.check(url)
        if url.scheme == "file":
            yield from find(Path("/" + unquote(url.path)), takes)
            return
        n_found = 0
        for found in _objects(url, policy):
            n_found += 1
            yield from _read(found, policy, takes)
        if not n_found:
            yield RefusedError("NO_MATCH", "there are no objects below this URL").at(place)
    except RemoteError as error:
        yield as_refused(error).at(place)


def as_refused(error: RemoteError) -> RefusedError:
    """An error of remote storage as a report."""
    if isinstance(error, ObjectRefusedError):
        return RefusedError(error.code, error.detail)
    if isinstance(error, ObjectGoneError):
        return RefusedError("NOT_FOUND", shown(str(error)))
    if isinstance(error, ObjectChangedError):
        return RefusedError("CHANGED_WHILE_READ", "the object changed while it was read: add it again")
    return RefusedError("UNREACHABLE", shown(str(error)))


def _objects(url: Url, policy: Policy) -> Iterator[RemoteObject]:
    if url.scheme not in BUCKETS:
        if url.is_folder:
            detail = "web servers list no files: give the URL of each file"
            raise ObjectRefusedError("URL_REFUSED", detail)
        yield stat(str(url), policy)
    elif url.is_folder:
        yield from buckets.listed(url)
    else:
        yield stat(str(url), policy)


def _read(found: RemoteObject, policy: Policy, takes: Takes) -> Iterator[DocumentFile | BadRecord]:
    last = found.name.rpartition("/")[2]
    if not last or any(step.startswith(".") for step in found.name.split("/")):
        return  # hidden
    if not found.size and "." not in last:
        return  # an object that stands for a folder
    place = shown(found.url)
    known = format_of_name(last)
    if known is None:
        if not takes(OtherFile(Path(last), Path(), found.name, place, found)):
            yield RefusedError("UNSUPPORTED_TYPE", "its name and first bytes are of no known type").at(place)
        return
    format_, is_gzip = known
    with tempfile.NamedTemporaryFile(prefix="docmill-url-") as copy:
        try:
            read = fetch(found, copy, policy, Bounds(MAX_BYTES))  # type: ignore[arg-type]
        except RemoteError as error:
            yield as_refused(error).at(place)
            return
        path = Path(copy.name)
        yield DocumentFile(path, path.parent, found.name, place, format_, is_gzip, read)


def _without_secrets(text: str) -> str:
    """A URL that was refused, for a report: without what may be a password or a signature."""
    scheme, separator, rest = text.partition("://")
    rest = rest.partition("?")[0]
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
