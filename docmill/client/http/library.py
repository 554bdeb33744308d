"""The library that speaks HTTP: an extra, since the store needs none."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from urllib.parse import SplitResult, urlsplit

from docmill.errors import InvalidRequestError, MissingPackageError

_PATH_ENDS = "/v1"


def library() -> Any:
    """The module httpx2. MissingPackageError if it is not installed."""
    try:
        return import_module("httpx2")
    except ImportError as error:
        raise MissingPackageError(
            "a client of a server needs httpx2, which is not installed: pip install 'docmill[http]'"
        ) from error


def options(url: str, key: str | None, timeout_seconds: float) -> dict[str, Any]:
    """What its clients are made with. InvalidRequestError for a URL that names no server, and for a key in it."""
    parts = urlsplit(url)
    if not parts.hostname or not _has_port(parts):
        raise InvalidRequestError(
            "the server's URL has no host, or a port that is none: write http://host:8484"
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidRequestError(
            "the server's URL is scheme, host, port and perhaps a path: write Client('http://host:8484', key=...)"
        )
    if key is not None and not (key.isascii() and key.isprintable()):
        raise InvalidRequestError(
            "the key holds characters that no key has: `docmill keys create` prints one"
        )
    headers = {"user-agent": "docmill-client"} | ({"authorization": f"Bearer {key}"} if key else {})
    return {
        "base_url": url.rstrip("/").removesuffix(_PATH_ENDS),
        "headers": headers,
        "timeout": timeout_seconds,
        # A redirect would send the key to another place.
        "follow_redirects": False,
    }


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False
