"""One Redis and one PostgreSQL for a peer, and a new database for each of its runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from tests.servers import PostgresServer, RedisServer, short_folder

#: The database that the others are copies of.
PREPARED = "prepared"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Site:
    """Where the processes of one run find what they need.

    Attributes:
        folder: for logs and other files of the run.
        peers: where the peers are installed.
        postgres, redis: the servers.
        database: the run's own.
        lease_seconds: after which a worker counts as dead.
        slots: documents that a worker works on at a time.
        environment: more variables for its processes.
    """

    folder: Path
    peers: Path
    postgres: PostgresServer
    redis: RedisServer
    database: str = PREPARED
    lease_seconds: float = 60.0
    slots: int = 2
    environment: dict[str, str] = field(default_factory=dict)

    def variables(self, cut: Path | None = None) -> dict[str, str]:
        """What its processes get; with `cut`, they reach the servers through the sockets in that folder."""
        host, socket = cut or self.postgres.folder, (cut or self.redis.folder) / self.redis.socket.name
        return {
            "PEERS_POSTGRES": f"host={host} user=docmill dbname={self.database}",
            "PEERS_REDIS": str(socket),
            "PEERS_LEASE": f"{self.lease_seconds:g}",
            "PEERS_SLOTS": str(self.slots),
            "NODE_PATH": str(self.peers / "node_modules"),
            "PYTHONPATH": str(ROOT),
            "DOCMILL_DATABASE_URL": f"postgresql+psycopg://docmill@/{self.database}?host={host}",
            "DOCMILL_REDIS_URL": f"unix://{socket}",
            "DOCMILL_HOME": str(self.folder / "home"),
            "DOCMILL_KIND_MODULES": "benchmarks.queue_peers.tasks.docmill_kind",
            **self.environment,
        }

    def connect(self, database: str = "") -> psycopg.Connection:
        return psycopg.connect(
            f"host={self.postgres.folder} user=docmill dbname={database or self.database}", autocommit=True
        )

    @contextlib.contextmanager
    def run(self, name: str, **changes: object) -> Iterator[Site]:
        """A new database and an empty Redis; both servers run."""
        for server in (self.postgres, self.redis):
            if server.process is None:
                server.start()
        with self.redis.client() as client:
            client.flushall()
        folder = self.folder / name
        folder.mkdir()
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {PREPARED}')  # type: ignore[arg-type]
        yield replace(self, database=name, folder=folder, **changes)  # type: ignore[arg-type]
        with self.connect("postgres") as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[arg-type]


@contextlib.contextmanager
def open_site(peers: Path, appendfsync: str) -> Iterator[Site]:
    """Both servers with durable settings: fsync and synchronous_commit on, and Redis with its AOF."""
    postgres = PostgresServer({"shared_buffers": "256MB", "max_wal_size": "4GB", "synchronous_commit": "on"})
    redis = RedisServer({"appendonly": "yes", "appendfsync": appendfsync})
    folder = short_folder("dm-peers-")
    servers = (postgres, redis)
    try:
        for server in servers:
            server.start()
        with psycopg.connect(
            f"host={postgres.folder} user=docmill dbname=postgres", autocommit=True
        ) as connection:
            connection.execute(f"CREATE DATABASE {PREPARED}")  # type: ignore[arg-type]
        yield Site(folder, peers.absolute(), postgres, redis)
    finally:
        for server in servers:
            server.kill()
            server.remove()
