"""What DOCMILL_REDIS_URL says: which Redis, or which Sentinels, and how to reach it. Connects to nothing.

    redis://[user:password@]host[:6379][/DB]                     plain
    rediss://...[?ssl_ca_certs=FILE&ssl_certfile=FILE&ssl_keyfile=FILE]   TLS; the certificate is verified
    unix:///path/to/redis.sock
    sentinel://[user:password@]host[:26379][,host...]/NAME[/DB]  the primary that these Sentinels call NAME
    sentinels://...                                              the same over TLS

A Sentinel that has a user and password of its own takes them from ?sentinel_username=...&sentinel_password=...
No message of this module repeats the URL, since it may hold a password.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from db.errors import StoreError

SCHEMES = ("redis", "rediss", "unix", "sentinel", "sentinels")
#: The parameters of TLS, named as redis-py and Celery name them; each is the path of a PEM file.
TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
SENTINEL_LOGIN = ("sentinel_username", "sentinel_password")
SENTINEL_PORT = 26379
#: A Sentinel that does not answer within this time is passed over for the next one.
SENTINEL_SECONDS = 2.0

_WRONG = (
    "this is no Redis URL: write redis://user:password@host:6379/0, rediss://..., unix:///path/to/redis.sock or "
    "sentinel://user:password@host1:26379,host2:26379/NAME/0"
)
_UNREADABLE = (
    "this URL cannot be read: write special characters of the password as %2F for /, "
    "%23 for #, %3F for ?, %5B for ["
)


@dataclass(frozen=True)
class RedisAddress:
    """A URL, taken apart."""

    #: The URL as it was written, without its parameters.
    url: str = field(repr=False)
    scheme: str
    #: The Sentinels, in the order in which they are asked; empty if there are none.
    sentinels: tuple[tuple[str, int], ...] = ()
    #: What the Sentinels call the primary.
    master: str = ""
    db: int = 0
    #: Of Redis itself, percent-encoded: "user:password", or nothing.
    login: str = field(default="", repr=False)
    #: ssl_ca_certs and so on.
    files: dict[str, str] = field(default_factory=dict)
    sentinel_login: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_sentinel(self) -> bool:
        return self.scheme in ("sentinel", "sentinels")

    @property
    def is_tls(self) -> bool:
        return self.scheme in ("rediss", "sentinels")

    @property
    def name(self) -> str:
        """The URL without user, password and parameters, for people."""
        if self.is_sentinel:
            return f"{self.scheme}://{','.join(map(at, self.sentinels))}/{self.master}/{self.db}"
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"

    @property
    def broker_url(self) -> str:
        """The URL as Celery writes it. Each Sentinel is an alternative, so each has the login of Redis."""
        if self.scheme == "unix":
            return f"redis+socket://{self.url.partition('://')[2]}"
        if not self.is_sentinel:
            return self.url
        login = f"{self.login}@" if self.login else ""
        return ";".join(f"sentinel://{login}{at(sentinel)}/{self.db}" for sentinel in self.sentinels)

    @property
    def user(self) -> str | None:
        return unquote(self.login.partition(":")[0]) or None

    @property
    def password(self) -> str | None:
        return unquote(self.login.partition(":")[2]) or None

    def tls(self) -> dict[str, Any]:
        """Options of Celery and redis-py for TLS that verifies; none without TLS."""
        return {"ssl_cert_reqs": ssl.CERT_REQUIRED} | self.files if self.is_tls else {}

    def transport_options(self) -> dict[str, Any]:
        """What kombu needs beside the URL."""
        if not self.is_sentinel:
            return {}
        return {"master_name": self.master, "sentinel_kwargs": self.sentinel_options()}

    def sentinel_options(self) -> dict[str, Any]:
        """How a Sentinel is asked: once and briefly. redis-py's own default asks one that is gone several times, with
        pauses of seconds, before it asks the next."""
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        once = {
            "socket_connect_timeout": SENTINEL_SECONDS,
            "socket_timeout": SENTINEL_SECONDS,
            "retry": Retry(NoBackoff(), 0),
        }
        login = {name.removeprefix("sentinel_"): value for name, value in self.sentinel_login.items()}
        return once | login | ({"ssl": True} | self.tls() if self.is_tls else {})

    def check_files(self) -> None:
        """Raise StoreError if a file of TLS cannot be read."""
        for name, path in self.files.items():
            try:
                Path(path).read_bytes()
            except OSError as error:
                raise StoreError(
                    f"DOCMILL_REDIS_URL: {name}={path} cannot be read ({error.strerror}): give the path of a PEM file "
                    "on this machine"
                ) from None


def at(address: tuple[str, int]) -> str:
    """ "host:port"; an IPv6 address in brackets."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse(url: str) -> RedisAddress:
    """The address that a URL names. ValueError, in words for people, if it names none."""
    scheme = url.partition("://")[0]
    if "://" not in url or scheme not in SCHEMES:
        raise ValueError(_WRONG)
    try:
        parts = urlsplit(url)
        if scheme in ("sentinel", "sentinels"):
            return _sentinels(parts)
        # Found out later, the error would quote the piece of the password that was taken for the port.
        is_readable = parts.port is None or parts.port > 0
    except _OurError:
        raise
    except ValueError:
        is_readable = False
    if not is_readable:
        raise ValueError(_UNREADABLE)
    if scheme == "unix":
        return RedisAddress(url, scheme)
    files = _parameters(parts, TLS_FILES if scheme == "rediss" else ())
    return RedisAddress(url.partition("?")[0], scheme, files=files)


class _OurError(ValueError):
    """A message that repeats nothing of the URL."""


def _sentinels(parts: SplitResult) -> RedisAddress:
    login, _, hosts = parts.netloc.rpartition("@")
    sentinels = tuple(_host(host) for host in hosts.split(",") if host)
    master, _, db = parts.path.strip("/").partition("/")
    if not sentinels or not master or not (db or "0").isdigit():
        raise _OurError(
            "this is no URL of Redis Sentinel: write sentinel://user:password@host1:26379,host2:26379/NAME/0, where "
            "NAME is what the Sentinels call the primary"
        )
    allowed = (*SENTINEL_LOGIN, *(TLS_FILES if parts.scheme == "sentinels" else ()))
    given = _parameters(parts, allowed)
    return RedisAddress(
        parts._replace(query="").geturl(),
        parts.scheme,
        sentinels,
        unquote(master),
        int(db or 0),
        _encoded(login),
        {name: value for name, value in given.items() if name in TLS_FILES},
        {name: value for name, value in given.items() if name in SENTINEL_LOGIN},
    )


def _host(written: str) -> tuple[str, int]:
    one = urlsplit(f"//{written}")
    if not one.hostname:
        raise ValueError
    return one.hostname, one.port or SENTINEL_PORT


def _encoded(login: str) -> str:
    """User and password without characters that would end the URL early: kombu splits alternatives at each `;`."""
    user, separator, password = login.partition(":")
    return f"{quote(unquote(user), safe='')}{separator}{quote(unquote(password), safe='')}"


def _parameters(parts: SplitResult, allowed: tuple[str, ...]) -> dict[str, str]:
    found = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not found.keys() <= set(allowed):
        # Not repeated: a `?` in a password begins what looks like parameters.
        known = ", ".join(allowed) or "none"
        raise _OurError(
            f"this URL has a parameter that docmill does not know; {parts.scheme}:// knows: {known}"
        )
    return found
