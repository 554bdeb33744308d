"""Redis and PostgreSQL for a benchmark: on Unix sockets in a temporary folder, stopped at its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import redis as redis_client

from docmill.local.embedded import find_redis_server


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder with a short path, as sockets need it, that other users may enter; removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="dmb-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def redis(home: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Redis with docmill's settings (AOF, noeviction); yields its socket and process."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "redis.sock"
    command = [find_redis_server(), "--port", "0", "--unixsocket", str(path), "--dir", str(home),
               "--appendonly", "yes", "--save", ""]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        client = redis_client.Redis(unix_socket_path=str(path))
        until = time.monotonic() + 20
        while True:
            try:
                client.ping()
                break
            except redis_client.RedisError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        client.close()
        yield str(path), process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def postgres(home: Path) -> Iterator[str]:
    """A PostgreSQL with its default durability; yields its URL. Needs root or an ordinary user, and initdb."""
    home.mkdir(parents=True, exist_ok=True)
    as_user: list[str] = []
    if os.getuid() == 0:
        shutil.chown(home, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data = home / "data"
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    subprocess.run(
        [*as_user, _pg("initdb"), "-D", data, "-A", "trust", "-U", "docmill", "--no-sync"], **quiet
    )  # type: ignore[call-overload]
    options = f"-k {home} -c listen_addresses='' -c shared_buffers=256MB -c max_wal_size=4GB"
    control = [*as_user, _pg("pg_ctl"), "-D", str(data), "-w", "-l", str(home / "log")]
    subprocess.run([*control, "-o", options, "start"], **quiet)  # type: ignore[call-overload]
    try:
        yield f"postgresql://docmill@/postgres?host={home}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)  # type: ignore[call-overload]


def _pg(name: str) -> str:
    found = shutil.which(name)
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if found is None and not newest:
        raise SystemExit(f"{name} is missing: apt-get install postgresql")
    return str(newest[-1]) if newest else str(found)
