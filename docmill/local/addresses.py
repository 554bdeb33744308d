"""Where the pages and Flower of `docmill up` are, and how one signs in. A file in DOCMILL_HOME says it to other
commands for as long as `docmill up` runs there."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

_FILE = "up.json"
_TOKEN = "pages-token"  # noqa: S105 (the name of a file)


@dataclass(frozen=True)
class FlowerAccess:
    """Flower's address, and the user and password."""

    url: str
    user: str
    password: str


@dataclass(frozen=True)
class PagesAccess:
    """Where the pages are, and the address that signs in."""

    port: int
    token_file: Path
    token: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def url_that_signs_in(self) -> str:
        return f"{self.url}login?token={self.token}"


def of_flower(home: Path, port: int) -> FlowerAccess:
    """The password is made once and kept in a file that only its owner can read."""
    path = home / "flower-password"
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(9))
    return FlowerAccess(f"http://127.0.0.1:{port}", "docmill", path.read_text().strip())


def of_pages(home: Path, port: int) -> PagesAccess:
    """With a new token, in a file that only its owner can read: the one of an earlier start is worth nothing."""
    path, token = home / _TOKEN, secrets.token_urlsafe(24)
    path.unlink(missing_ok=True)
    _write_private(path, token)
    return PagesAccess(port, path, token)


def write(home: Path, flower: FlowerAccess | None, pages: PagesAccess | None) -> None:
    """Say where they are. Passwords and tokens are not in it."""
    known = {"flower": flower and flower.url, "pages": pages and pages.url}
    urls = {name: url for name, url in known.items() if url}
    (home / _FILE).write_text(json.dumps({"pid": os.getpid(), "urls": urls}) + "\n")


def forget(home: Path) -> None:
    """Nothing runs here any more."""
    (home / _FILE).unlink(missing_ok=True)
    (home / _TOKEN).unlink(missing_ok=True)


def of_up(home: Path) -> dict[str, str]:
    """The addresses of the `docmill up` that runs in this home, by name; empty if none runs. Nothing is created."""
    try:
        told = json.loads((home / _FILE).read_text())
        os.kill(int(told["pid"]), 0)
    except PermissionError:
        # The process is there, and somebody else's.
        pass
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    urls: dict[str, str] = told["urls"]
    return urls


def free_port(wanted: int) -> int:
    """`wanted`, or another free port if it is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
