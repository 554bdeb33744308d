"""The embedded Redis and the rest of `docmill up`: for its owner, on this machine, and for nobody else."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import redis

from db.errors import StoreError
from docmill.local.embedded import Stack
from tests.security.production import free_port, listeners
from tests.servers import missing_redis, short_folder, until
from workers.settings import settings

ROOT = Path(__file__).parents[2]


@dataclass
class Up:
    home: Path
    flower_port: int
    pages_port: int
    processes: list[psutil.Process]


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """`docmill up` in a folder that was there before, open to everybody, once all of it runs."""
    if missing := missing_redis():
        pytest.skip(missing)
    home, port, pages_port = short_folder("dm-up-"), free_port(), free_port()
    home.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DOCMILL_")}
    environment = clean | {
        "DOCMILL_HOME": str(home),
        "DOCMILL_KIND_MODULES": "tests.kinds",
        "PYTHONPATH": str(ROOT),
    }
    ports = ("--flower-port", str(port), "--pages-port", str(pages_port))
    command = [sys.executable, "-m", "docmill.cli", "up", "--devices", "cpu:1", *ports]
    with (home / "up.out").open("wb") as out:
        process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=out, stderr=out, start_new_session=True, umask=0o022
        )
    root = psutil.Process(process.pid)

    def complete() -> list[psutil.Process]:
        """Redis, the scheduler, the launcher, its Celery worker, that one's child, Flower and the pages."""
        assert process.poll() is None, (home / "up.out").read_text()
        with suppress(psutil.Error):
            family = [root, *root.children(recursive=True)]
            listening = listeners([p.pid for p in family])
            if (
                any("spawn_main" in word for p in family for word in p.cmdline())
                and {
                    f"127.0.0.1:{port}",
                    f"127.0.0.1:{pages_port}",
                }
                <= listening
            ):
                return family
        return []

    try:
        yield Up(home, port, pages_port, until(complete, "all of docmill running"))
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        for left in psutil.process_iter():
            with suppress(psutil.Error):
                if left.environ().get("DOCMILL_HOME") == str(home):
                    left.kill()
        process.wait()
        shutil.rmtree(home)


def test_nothing_but_flower_and_the_pages_on_loopback_listens(up: Up) -> None:
    assert len(up.processes) >= 7
    assert listeners([process.pid for process in up.processes]) == {
        f"127.0.0.1:{up.flower_port}",
        f"127.0.0.1:{up.pages_port}",
    }


def test_the_socket_of_redis_is_in_a_folder_of_its_owner(up: Up) -> None:
    path = up.home / "redis" / "redis.sock"

    with redis.Redis(unix_socket_path=str(path)) as client:
        assert client.config_get("port") == {"port": "0"}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_others_can_read_nothing_of_the_home(up: Up) -> None:
    assert sorted(open_to_others(up.home)) == []


@pytest.mark.parametrize("file", ["flower-password", "pages-token"])
def test_what_signs_in_is_on_no_command_line_and_in_no_environment(up: Up, file: str) -> None:
    secret = (up.home / file).read_text()

    assert not [p for p in up.processes if any(secret in word for word in p.cmdline())]
    if file == "pages-token":
        assert not [p for p in up.processes if secret in p.environ().values()]


def open_to_others(folder: Path) -> Iterator[str]:
    """Files that another user can reach and read or write."""
    for path in folder.iterdir():
        mode = path.lstat().st_mode
        if path.is_dir():
            if mode & 0o011:
                yield from open_to_others(path)
        elif mode & 0o066 and path.name != "up.out":
            yield path.name


# --- a socket folder that somebody prepared ------------------------------------------------------------------


@pytest.fixture
def socket_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the socket goes when the home's path is too long for one: a folder of the temporary folder."""
    short = short_folder("dm-tmp-")
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    monkeypatch.setenv("DOCMILL_HOME", str(tmp_path / ("long" * 30)))
    settings.cache_clear()
    return settings().embedded_socket.parent


def test_a_socket_folder_of_somebody_else_is_refused(socket_folder: Path) -> None:
    if os.getuid():
        pytest.skip("only root can make a folder of somebody else")
    socket_folder.mkdir()
    os.chown(socket_folder, 65534, 65534)

    with pytest.raises(StoreError, match="somebody else"):
        Stack(settings(), flower_port=None)


def test_a_socket_folder_that_is_a_link_is_refused(socket_folder: Path, tmp_path: Path) -> None:
    """Whoever made the link can let it lead to their own Redis later."""
    (tmp_path / "mine").mkdir()
    socket_folder.symlink_to(tmp_path / "mine")

    with pytest.raises(StoreError, match="somebody else"):
        Stack(settings(), flower_port=None)


def test_a_socket_folder_open_to_others_is_closed(socket_folder: Path) -> None:
    socket_folder.mkdir(mode=0o777)

    Stack(settings(), flower_port=None).stop()

    assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
