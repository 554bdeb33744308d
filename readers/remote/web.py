"""HTTP and HTTPS, by the standard library: the address that was checked is the one that is connected to, also after a
redirect."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

from readers.remote import urls
from readers.remote.objects import ObjectGoneError, ObjectRefusedError, RemoteObject, UnreachableError
from readers.remote.policy import Policy
from readers.remote.urls import WEB, Url

#: Without an answer, or without another byte, for this long, the server is taken to be away.
_SECONDS = 20
_MAX_REDIRECTS = 5
_BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Answer:
    """An answer with content."""

    version: str
    #: When it was changed last, in ISO 8601; empty if the server does not say.
    modified: str
    #: Of the whole content; None if the server does not say.
    size: int | None
    #: The offset of the first byte.
    start: int
    body: http.client.HTTPResponse

    def blocks(self) -> Iterator[bytes]:
        """The content, as it arrives."""
        try:
            while block := self.body.read1(_BLOCK_BYTES):
                yield block
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"the connection broke: {_words(error)}") from None


def stat(url: Url, policy: Policy) -> RemoteObject:
    """The object, by a request for its head. Servers that refuse one are asked for the content, which is not read."""
    try:
        with _asked("HEAD", url, policy) as answer:
            return RemoteObject(
                str(url), url.name or url.host, answer.size or 0, answer.version, answer.modified
            )
    except ObjectRefusedError as refused:
        if refused.code != "FORBIDDEN":
            raise
    with _asked("GET", url, policy) as answer:
        return RemoteObject(str(url), url.name or url.host, answer.size or 0, answer.version, answer.modified)


@contextmanager
def opened(url: Url, policy: Policy, start: int = 0, version: str = "") -> Iterator[Answer]:
    """The content from `start` on, if it still is of this version; otherwise all of it."""
    headers = {}
    etag = version.removeprefix("etag:")
    if start and version.startswith("etag:") and not etag.startswith("W/"):
        headers = {"Range": f"bytes={start}-", "If-Range": etag}
    with _asked("GET", url, policy, headers) as answer:
        yield answer


@contextmanager
def _asked(method: str, url: Url, policy: Policy, headers: dict[str, str] | None = None) -> Iterator[Answer]:
    asked = url
    for _ in range(_MAX_REDIRECTS + 1):
        connection = _connection(asked, policy)
        try:
            path = f"/{asked.path}" + (f"?{asked.query}" if asked.query else "")
            sent = {
                "User-Agent": "docmill",
                "Accept-Encoding": "identity",
                "Accept": "*/*",
                **(headers or {}),
            }
            try:
                connection.request(method, path, headers=sent)
                found = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise UnreachableError(f"{asked.host} does not answer: {_words(error)}") from None
            target = found.headers.get("Location")
            if found.status not in (301, 302, 303, 307, 308) or not target:
                yield _answer(asked, found)
                return
            asked = _followed(asked, target, policy)
        finally:
            connection.close()
    raise ObjectRefusedError("TOO_MANY_REDIRECTS", f"it redirects more than {_MAX_REDIRECTS} times")


def _followed(url: Url, target: str, policy: Policy) -> Url:
    """Where a redirect leads. What it signs is never stored, but it has to be allowed as any URL is."""
    there = urls.parse_redirect(urljoin(str(url), target))
    if there.scheme not in WEB or (url.scheme == "https" and there.scheme == "http"):
        raise ObjectRefusedError("URL_NOT_ALLOWED", f"it redirects to {there.scheme}://{there.host}")
    if not policy.lists(there) and there.host != url.host:
        policy.check(there)
    return there


def _answer(url: Url, found: http.client.HTTPResponse) -> Answer:
    status = found.status
    if status in (404, 410):
        raise ObjectGoneError(f"there is no {url} (HTTP {status})")
    if status in (401, 407, 408, 425, 429) or status >= 500:
        raise UnreachableError(f"{url.host} answers HTTP {status} {found.reason}")
    if status not in (200, 206):
        raise ObjectRefusedError("FORBIDDEN", f"{url.host} answers HTTP {status} {found.reason}")
    etag, modified = found.headers.get("ETag"), found.headers.get("Last-Modified")
    version = f"etag:{etag}" if etag else f"modified:{modified}" if modified else ""
    length = found.headers.get("Content-Length")
    size = int(length) if length and length.isdigit() else None
    start = 0
    if status == 206:
        start, size = _range(found.headers.get("Content-Range") or "", url)
    return Answer(version, _iso(modified), size, start, found)


def _iso(date: str | None) -> str:
    try:
        return parsedate_to_datetime(date).isoformat() if date else ""
    except ValueError:
        return ""


def _range(header: str, url: Url) -> tuple[int, int | None]:
    """From `bytes 100-199/200`, the start and the whole size."""
    try:
        place, _, whole = header.removeprefix("bytes ").partition("/")
        return int(place.partition("-")[0]), int(whole) if whole != "*" else None
    except ValueError:
        raise UnreachableError(f"{url.host} answers with a range that cannot be read") from None


def _connection(url: Url, policy: Policy) -> http.client.HTTPConnection:
    port = url.port or (443 if url.scheme == "https" else 80)
    host = url.host.strip("[]")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError(f"the host {url.host} is not found: {_words(error)}") from None
    addresses = [str(each[4][0]) for each in found]
    for address in addresses:
        policy.check_address(url, address)
    if url.scheme == "https":
        return _Https(host, port, addresses)
    return _Http(host, port, addresses)


class _Http(http.client.HTTPConnection):
    """A connection to one of the addresses given, whatever the name means by now."""

    def __init__(self, host: str, port: int, addresses: list[str]) -> None:
        super().__init__(host, port, timeout=_SECONDS)
        self._addresses = addresses

    def connect(self) -> None:
        self.sock = _connected(self._addresses, self.port)


class _Https(http.client.HTTPSConnection):
    """The same, encrypted; the certificate is that of the host."""

    def __init__(self, host: str, port: int, addresses: list[str]) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(host, port, timeout=_SECONDS, context=self._tls)
        self._addresses = addresses

    def connect(self) -> None:
        self.sock = self._tls.wrap_socket(_connected(self._addresses, self.port), server_hostname=self.host)


def _connected(addresses: list[str], port: int) -> socket.socket:
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), _SECONDS)
        except OSError:
            continue
    return socket.create_connection((addresses[-1], port), _SECONDS)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
