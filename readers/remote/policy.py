"""Which URLs may be read. Workers fetch them, from inside a network: so nothing is allowed unless somebody says so."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from readers.remote import urls
from readers.remote.objects import ObjectRefusedError
from readers.remote.urls import BUCKETS, WEB, Url

_OFF = ("", "0", "off", "no", "false")
_ALL = ("1", "on", "yes", "true")
SETTING = "DOCMILL_REMOTE_FILES"


@dataclass(frozen=True)
class Policy:
    """What DOCMILL_REMOTE_FILES says. By default, no URL may be read."""

    #: Every bucket that the credentials of the environment open, and https:// at public addresses.
    is_open: bool = False
    #: URLs that may be read, with everything below them, even at private addresses.
    allowed: tuple[Url, ...] = ()

    @classmethod
    def of(cls, setting: str) -> Policy:
        """From "1", or URLs separated by commas or blanks. ValueError for anything else."""
        words = [word for word in re.split(r"[,\s]+", setting.strip()) if word]
        is_open = any(word.lower() in _ALL for word in words)
        try:
            allowed = tuple(urls.parse(word) for word in words if word.lower() not in (*_ALL, *_OFF))
        except ObjectRefusedError as refused:
            raise ValueError(f"write 1, or URLs such as s3://bucket/prefix/ ({refused.detail})") from None
        return cls(is_open, allowed)

    @property
    def is_off(self) -> bool:
        return not self.is_open and not self.allowed

    def check(self, url: Url) -> None:
        """ObjectRefusedError unless the URL may be read."""
        if url.scheme == "file" or self.lists(url):
            return
        if self.is_off:
            raise _refused(
                f"docmill fetches no URLs unless it is told to: set {SETTING}={url.scheme}://{url.host}/ "
                "where documents are added, and for every worker"
            )
        if not self.is_open:
            raise _refused(f"it is not below a URL in {SETTING}")
        if url.scheme not in (*BUCKETS, "https"):
            raise _refused(f"plain {url.scheme}:// is read only from hosts listed in {SETTING}")

    def lists(self, url: Url) -> bool:
        """Whether the URL, or one that it is below, is listed."""
        return any(_is_below(url, each) for each in self.allowed)

    def check_address(self, url: Url, address: str) -> None:
        """ObjectRefusedError for an address that is not public, unless its URL is listed: the machines beside a
        worker, and the metadata of its cloud, are nobody's documents."""
        found = ipaddress.ip_address(address.partition("%")[0])
        if mapped := getattr(found, "ipv4_mapped", None):
            found = mapped
        if (not found.is_global or found.is_multicast) and not self.lists(url):
            raise _refused(
                f"{url.host} is at a private address: to read from it, list {url.scheme}://{url.host}/ in {SETTING}"
            )


#: No URL may be read.
NOTHING = Policy()


def _is_below(url: Url, above: Url) -> bool:
    if (url.scheme, url.host, _port(url)) != (above.scheme, above.host, _port(above)):
        return False
    return url.path == above.path or url.path.startswith(above.path.rstrip("/") + "/" if above.path else "")


def _port(url: Url) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme) if url.scheme in WEB else None


def _refused(detail: str) -> ObjectRefusedError:
    return ObjectRefusedError("URL_NOT_ALLOWED", detail)
