"""A URL in its parts. Refuses what cannot be kept in a store: passwords and signatures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from readers.remote.objects import ObjectRefusedError

BUCKETS = ("s3", "gs", "az")
WEB = ("http", "https")
SCHEMES = (*BUCKETS, *WEB, "file")
#: Another name for the same storage.
_MEANT = {"gcs": "gs", "azure": "az", "s3a": "s3", "abfs": "az"}
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{0,221}", re.IGNORECASE)
#: Parameters of a URL that are credentials: the URL would be stored, and shown in reports.
_SECRETS = re.compile(r"x-amz-|x-goog-|sig$|signature$|token|key$|secret|password|passwd|auth", re.IGNORECASE)
_CONTROL = re.compile("[\0-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class Url:
    """A URL of a known scheme, without credentials."""

    scheme: str
    #: The bucket, or the host in lower case.
    host: str
    port: int | None
    #: Without the leading slash, and for buckets decoded.
    path: str
    query: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether it stands for all objects below it."""
        return not self.path or self.path.endswith("/")

    @property
    def name(self) -> str:
        """The last part of the path."""
        last = self.path.rstrip("/").rpartition("/")[2]
        return unquote(last) if self.scheme in WEB else last

    def __str__(self) -> str:
        port = f":{self.port}" if self.port else ""
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.host}{port}/{self.path}{query}"


def parse_redirect(text: str) -> Url:
    """A URL that a server gave, which is used once and never stored: it may be signed."""
    return parse(text, may_be_signed=True)


def parse(text: str, *, may_be_signed: bool = False) -> Url:
    """The URL; ObjectRefusedError says what is wrong, without repeating a password."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _refused("this URL cannot be read: check its host and port") from None
    scheme = _MEANT.get(parts.scheme.lower(), parts.scheme.lower())
    if scheme not in SCHEMES:
        raise _refused(f"URLs of {scheme}: are not read; docmill reads {', '.join(SCHEMES)}")
    if "@" in parts.netloc:
        raise _refused(
            "the URL has a user or a password: it would be stored; credentials come from the environment"
        )
    if not may_be_signed and any(
        _SECRETS.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)
    ):
        raise _refused(
            "the URL is signed, or has a key: it would be stored, and expires; give the object's plain URL"
        )
    path = parts.path.lstrip("/")
    if scheme in BUCKETS:
        return _of_bucket(scheme, parts.netloc, path, text)
    if any(step in ("..", ".") for step in unquote(path).split("/")):
        raise _refused("the path has the steps . or ..: write it without them")
    if _CONTROL.search(text):
        path = quote(path, safe="/%:@!$&'()*+,;=~-._")
    host = (parts.hostname or "").lower()
    if scheme in WEB and not host:
        raise _refused("the URL has no host")
    if scheme == "file" and host not in ("", "localhost"):
        raise _refused("a file:// URL names a file of this machine: file:///path")
    return Url(scheme, f"[{host}]" if ":" in host else host, port, path, parts.query)


def _of_bucket(scheme: str, bucket: str, path: str, text: str) -> Url:
    if not _BUCKET.fullmatch(bucket):
        raise _refused(f"the URL names no bucket: write {scheme}://bucket/prefix/")
    # "?" and "#" are ordinary characters in the names of objects.
    path = text.partition("://")[2].partition("/")[2]
    return Url(scheme, bucket, None, path)


def _refused(detail: str) -> ObjectRefusedError:
    return ObjectRefusedError("URL_REFUSED", detail)
