"""Buckets of S3, Google and Azure storage, by obstore. Credentials, regions and endpoints come from the environment, as
AWS_*, GOOGLE_* and AZURE_* variables; docmill neither reads nor keeps them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from readers.remote.objects import (
    ObjectChangedError,
    ObjectGoneError,
    ObjectRefusedError,
    RemoteObject,
    UnreachableError,
)
from readers.remote.urls import Url

_LISTED = 1_000
_BLOCK_BYTES = 256 * 1024
_RETRY = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=15),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=3)},
}
_CLIENT = {
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(seconds=20),
    # Of a whole download: `fetch` bounds it.
    "timeout": timedelta(hours=24),
}


def listed(url: Url) -> Iterator[RemoteObject]:
    """The objects below a prefix, in the order of their names, page by page."""
    store = _store(url.scheme, url.host)
    obstore = _obstore()
    try:
        for page in obstore.list(store, prefix=url.path.rstrip("/") or None, chunk_size=_LISTED):
            for meta in page:
                if meta["path"].startswith(url.path):
                    yield _object(url, meta, meta["path"][len(url.path) :])
    except obstore.exceptions.BaseError as error:
        raise _as_ours(error, url) from None


def stat(url: Url) -> RemoteObject:
    """One object."""
    obstore = _obstore()
    try:
        return _object(url, obstore.head(_store(url.scheme, url.host), url.path), url.name)
    except (obstore.exceptions.BaseError, FileNotFoundError) as error:
        raise _as_ours(error, url) from None


def blocks(url: Url, start: int, version: str) -> Iterator[bytes]:
    """The content from `start` on, if it still is of this version; else ObjectChangedError."""
    obstore = _obstore()
    options: dict[str, Any] = {"range": {"offset": start}} if start else {}
    if version.startswith("etag:"):
        options["if_match"] = version.removeprefix("etag:")
    try:
        found = obstore.get(_store(url.scheme, url.host), url.path, options=options)
        if _version(found.meta) != version:
            raise ObjectChangedError(f"{url} has changed")
        for block in found.stream(min_chunk_size=_BLOCK_BYTES):
            yield bytes(block)
    except (obstore.exceptions.BaseError, FileNotFoundError) as error:
        raise _as_ours(error, url) from None


def _object(url: Url, meta: Any, name: str) -> RemoteObject:
    there = Url(url.scheme, url.host, None, meta["path"])
    return RemoteObject(
        str(there), name or there.name, meta["size"], _version(meta), meta["last_modified"].isoformat()
    )


def _version(meta: Any) -> str:
    if meta["e_tag"]:
        return f"etag:{meta['e_tag']}"
    modified: datetime = meta["last_modified"]
    return f"modified:{modified.isoformat()}"


@cache
def _store(scheme: str, bucket: str) -> Any:
    _obstore()
    from obstore.store import AzureStore, GCSStore, S3Store

    kind = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}[scheme]
    try:
        client = {**_CLIENT, "allow_http": _allows_http()}
        return kind(bucket, client_options=client, retry_config=_RETRY)
    except Exception as error:
        # Of every kind: a region or an account that is missing, a credential that cannot be read.
        raise UnreachableError(f"{scheme}://{bucket} cannot be opened: {_words(error)}") from None


def _allows_http() -> bool:
    """Whether the environment names an endpoint without encryption, such as a MinIO beside the workers."""
    endpoints = (
        os.environ.get(name, "") for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    )
    switches = (os.environ.get(f"{cloud}_ALLOW_HTTP", "") for cloud in ("AWS", "GOOGLE", "AZURE"))
    return any(each.startswith("http://") for each in endpoints) or any(
        each.lower() in ("true", "1") for each in switches
    )


def _obstore() -> Any:
    try:
        import obstore
    except ImportError:
        detail = "reading buckets needs obstore: pip install 'docmill[cloud]', also for every worker"
        raise ObjectRefusedError("NOT_INSTALLED", detail) from None
    return obstore


def _as_ours(error: Exception, url: Url) -> Exception:
    exceptions = _obstore().exceptions
    if isinstance(error, exceptions.NotFoundError | FileNotFoundError):
        return ObjectGoneError(f"there is no {url}")
    if isinstance(error, exceptions.PreconditionError):
        return ObjectChangedError(f"{url} has changed")
    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
        return UnreachableError(
            f"{url.scheme}://{url.host} refuses the credentials of the environment: {_words(error)}"
        )
    return UnreachableError(f"{url.scheme}://{url.host} does not answer: {_words(error)}")


_SECRET_LIKE = re.compile(r"(?i)((?:x-amz-|sig|key|token|secret|credential)[\w-]*\s*[=:]\s*)\S+")


def _words(error: Exception) -> str:
    """The first line of what a library says, without what may be a secret."""
    said = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return _SECRET_LIKE.sub(r"\1...", said)[:300]
