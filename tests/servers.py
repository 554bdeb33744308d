"""A real Redis and a real PostgreSQL for tests, each in a short temporary folder of its own, reached by a unix
socket, and ended by its process id. Both can be killed, stopped and started again with what they had on disk."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import redis

INSTALL_REDIS = "redis-server is not installed: apt-get install redis-server"
INSTALL_POSTGRES = "PostgreSQL is not installed: apt-get install postgresql"
INSTALL_PGBOUNCER = "pgbouncer is not installed: apt-get install pgbouncer"

#: Debian keeps pgbouncer where a plain user's PATH does not lead.
_PROGRAMS = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
#: pgbouncer's: part of the name of its socket.
PORT = 6432

#: Nothing here takes so long on a machine that works.
START_SECONDS = 60.0


def until(condition: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> Any:
    """The first true value of `condition`; AssertionError naming `what` if there is none in time."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.02)
    return value


def short_folder(prefix: str) -> Path:
    """A folder whose path leaves room for a unix socket's name (107 bytes in all)."""
    return Path(tempfile.mkdtemp(prefix=prefix))


class Server:
    """A server process that can be started, killed, stopped and continued."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """Kill -9: no time to save anything."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(START_SECONDS)
            self.process = None

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class RedisServer(Server):
    """redis-server without persistence, unless its options ask for it."""

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        self.folder = short_folder("dm-redis-")
        self.socket = self.folder / "redis.sock"
        self.options = {"maxmemory-policy": "noeviction", "save": ""} | dict(options or {})

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        command = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder)]
        for name, value in self.options.items():
            command += [f"--{name}", value]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until(self._answers, "redis-server answering")

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=10)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.exceptions.RedisError), self.client() as client:
            return bool(client.ping())
        return False


class PostgresServer(Server):
    """One PostgreSQL cluster with fsync on. As root it runs as the user postgres, since it refuses root."""

    def __init__(self, settings: Mapping[str, str] | None = None, prefix: Sequence[str] = ()) -> None:
        self.folder = short_folder("dm-pg-")
        self.data = self.folder / "data"
        self.settings = dict(settings or {})
        #: What stands before every command: to run it on another host, and as another user.
        self._as_user = [*prefix, *_as_postgres_user(self.folder)]
        self._make()

    def _make(self) -> None:
        """A copy of a new cluster: initdb takes many times as long."""
        self._command("cp", "-R", "-p", str(_new_cluster()), str(self.data))

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://docmill@/{database}?host={self.folder}"

    def start(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "max_connections": "60",
            "shared_buffers": "32MB",
            "jit": "off",
        } | self.settings
        command = [*self._as_user, str(_postgres_binary("postgres")), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until(self._answers, "PostgreSQL answering")

    def stop(self) -> None:
        """Like `pg_ctl stop -m fast`: open transactions are ended."""
        self._end(signal.SIGINT)

    def execute(self, statement: str, database: str = "postgres") -> None:
        """A statement outside any transaction."""
        with psycopg.connect(self._conninfo(database), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def _conninfo(self, database: str) -> str:
        return f"host={self.folder} user=docmill dbname={database} connect_timeout=5"

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self._conninfo("postgres")):
            return True
        # A postmaster that was killed may still have children in the old shared memory: start once they left.
        if self.process is not None and self.process.poll() is not None:
            time.sleep(0.1)
            self.start()
        return False

    def _run(self, program: str, *arguments: object) -> None:
        self._command(str(_postgres_binary(program)), *map(str, arguments))

    def _command(self, *words: str) -> None:
        subprocess.run([*self._as_user, *words], check=True, stdout=subprocess.DEVNULL, cwd=self.folder)


@cache
def _new_cluster() -> Path:
    """The data of a cluster that was never started, one for all tests of a process."""
    folder = short_folder("dm-pg-new-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    options = ("-U", "docmill", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
    subprocess.run(
        [*_as_postgres_user(folder), str(_postgres_binary("initdb")), "-D", str(folder / "data"), *options],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
    )
    return folder / "data"


class PgBouncer(Server):
    """pgbouncer in front of a PostgreSQL, in transaction mode: each transaction may meet another server session."""

    def __init__(self, server: PostgresServer, *, pool_size: int = 3, stats_users: str = "") -> None:
        self.folder = short_folder("dm-bouncer-")
        self.server = server
        self._as_user = _as_postgres_user(self.folder)
        users = self.folder / "users.txt"
        users.write_text('"docmill" ""\n')
        self._config = self.folder / "pgbouncer.ini"
        settings = {
            "listen_port": PORT,
            "unix_socket_dir": self.folder,
            "auth_type": "trust",
            "auth_file": users,
            "pool_mode": "transaction",
            "default_pool_size": pool_size,
            "max_client_conn": 100,
            "server_login_retry": 0.2,
            # A client that waits for a server longer has an error, as in production.
            "query_wait_timeout": 20,
            "stats_users": stats_users,
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        self._config.write_text(
            "\n".join(["[databases]", f"* = host={server.folder} user=docmill", "[pgbouncer]", *lines, ""])
        )

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://docmill@/{database}?host={self.folder}&port={PORT}"

    def start(self) -> None:
        (self.folder / f".s.PGSQL.{PORT}").unlink(missing_ok=True)
        command = [*self._as_user, str(shutil.which("pgbouncer", path=_PROGRAMS)), str(self._config)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until(self._answers, "pgbouncer answering")

    def stop(self) -> None:
        """At once: clients and servers are cut off."""
        self._end(signal.SIGTERM)

    def _answers(self) -> bool:
        conninfo = f"host={self.folder} port={PORT} user=docmill dbname=postgres connect_timeout=5"
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(conninfo):
            return True
        return False


def missing_redis() -> str | None:
    """What to install, if it is not there."""
    return None if shutil.which("redis-server") else INSTALL_REDIS


def missing_postgres() -> str | None:
    """What to install, if it is not there."""
    return None if _postgres_binary("initdb") else INSTALL_POSTGRES


def missing_pgbouncer() -> str | None:
    """What to install, if it is not there."""
    return None if shutil.which("pgbouncer", path=_PROGRAMS) else INSTALL_PGBOUNCER


def _postgres_binary(program: str) -> Path | None:
    """Debian keeps the server's programs out of PATH; the newest version counts."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which(program)
    return found[-1] if found else Path(on_path) if on_path else None


def _as_postgres_user(folder: Path) -> list[str]:
    if os.getuid() != 0:
        return []
    shutil.chown(folder, "postgres", "postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
