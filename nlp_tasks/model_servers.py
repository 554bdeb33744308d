"""Which model servers workers may send texts to, and with which key. Knows addresses, and speaks to nobody."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

SETTING = "DOCMILL_MODEL_SERVERS"


def check(address: str) -> SplitResult:
    """The parts of an address such as http://127.0.0.1:8000/v1. ValueError says what is wrong with another."""
    try:
        found = urlsplit(address)
        port_is_good = found.port is None or found.port > 0
    except ValueError:
        port_is_good = False
    if not port_is_good or found.scheme not in ("http", "https") or not found.hostname:
        raise ValueError(
            f"server: {address[:200]!r} is no address: write one such as http://127.0.0.1:8000/v1"
        )
    if found.username or found.password or found.query or found.fragment or not address.isprintable():
        raise ValueError("server: write the address alone, without user, password, ? or #")
    if not found.path.isascii() or " " in address:
        raise ValueError("server: write blanks and letters that are not ASCII as %20 and the like")
    return found


@dataclass(frozen=True)
class ModelServers:
    """What DOCMILL_MODEL_SERVERS says: servers of this machine, and those that it lists."""

    allowed: tuple[str, ...] = ()
    #: Sent as `Authorization: Bearer` to the servers that are listed.
    key: str = field(default="", repr=False)

    @classmethod
    def of(cls, setting: str, key: str = "") -> ModelServers:
        """From addresses separated by commas or blanks. ValueError for something else."""
        words = [word for word in re.split(r"[,\s]+", setting.strip()) if word]
        for word in words:
            check(word)
        return cls(tuple(word.rstrip("/") for word in words), key)

    def allows(self, address: str) -> bool:
        """Whether texts may be sent to a server: one on this machine, or one at or below an address that is listed."""
        return _is_loopback(check(address).hostname or "") or self._lists(address)

    def key_for(self, address: str) -> str:
        """The key that a server is sent: none unless it is at or below an address that is listed. Any program may
        listen on a port of this machine."""
        return self.key if self._lists(address) else ""

    def _lists(self, address: str) -> bool:
        asked = check(address)
        return any(_is_below(asked, check(one)) for one in self.allowed)


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_below(asked: SplitResult, listed: SplitResult) -> bool:
    if (asked.scheme, asked.hostname, _port(asked)) != (listed.scheme, listed.hostname, _port(listed)):
        return False
    path = listed.path.rstrip("/")
    inside = asked.path.rstrip("/")
    return not _goes_up(inside) and (inside == path or inside.startswith(path + "/"))


def _goes_up(path: str) -> bool:
    """Whether a server may take a path for one outside its beginning: with .. in it, however it is written."""
    while (plain := unquote(path)) != path:
        path = plain
    return any(part.startswith("..") for part in re.split(r"[/\\]", path))


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)
