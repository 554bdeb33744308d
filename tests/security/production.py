"""docmill as in production, in small: Redis with its one user and a password, PostgreSQL with a password, a
scheduler, a worker and Flower, each a process. Everything secret holds the word that `CANARY` is."""

from __future__ import annotations

import os
import socket
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import redis

from db import documents, jobs
from db.chunks import ChunkSize
from db.jobs import NewJob
from tests.faults.stack import ROOT, Stack
from tests.servers import PostgresServer, RedisServer, until

#: Part of every secret, so that one search finds any of them.
CANARY = "c4n4ry"
REDIS_PASSWORD = f"redis-{CANARY}-password"
POSTGRES_PASSWORD = f"postgres-{CANARY}-password"
FLOWER_PASSWORD = f"flower-{CANARY}-password"
#: Part of every document's text.
BODY = "b0dy-c4n4ry"
KIND = "leaky"


class GuardedRedis(RedisServer):
    """Redis as production starts it, on a port of 127.0.0.1."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"redis://docmill:{REDIS_PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        folder = str(self.folder)
        secrets = {"REDIS_PASSWORD": REDIS_PASSWORD, "REDIS_RUN": folder, "REDIS_DATA": folder}
        command = [ROOT / "deploy" / "redis-start", "--port", str(self.port), "--bind", "127.0.0.1"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=os.environ | secrets, stdout=log, stderr=log, start_new_session=True
            )
        until(self._answers, "redis-server answering")

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def everything_ever_written(self) -> bytes:
        """The append-only file: every command that wrote a key, whether the key is still there or not."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.rglob("*.aof")))


def guarded_database(server: PostgresServer) -> str:
    """The URL of a new database whose owner needs a password (SCRAM)."""
    with suppress(Exception):
        server.execute("DROP DATABASE guarded WITH (FORCE)")
        server.execute("DROP ROLE guard")
    server.execute(f"CREATE ROLE guard LOGIN PASSWORD '{POSTGRES_PASSWORD}'")
    server.execute("CREATE DATABASE guarded OWNER guard")
    rules = server.data / "pg_hba.conf"
    if "scram" not in rules.read_text().splitlines()[0]:
        rules.write_text("local all guard scram-sha-256\n" + rules.read_text())
    server.execute("SELECT pg_reload_conf()")
    return f"postgresql+psycopg://guard:{POSTGRES_PASSWORD}@/guarded?host={server.folder}"


class Production(Stack):
    """The stack; jobs are of the kind that quotes texts."""

    redis: GuardedRedis

    def __init__(self, postgres: PostgresServer) -> None:
        super().__init__(
            "postgresql",
            n_workers=1,
            environment={"DOCMILL_KIND_MODULES": "tests.security.leaky"},
            redis=GuardedRedis(),
            url=guarded_database(postgres),
        )
        self.flower_port = free_port()
        self.flower: subprocess.Popen[bytes] | None = None

    def start_launcher(self, environment: Mapping[str, str] | None = None) -> None:
        """The worker, and Flower beside it."""
        self.launcher = self.docmill("worker", "--devices", "cpu:1", "--kinds", KIND, environment=environment)
        secret = {"FLOWER_BASIC_AUTH": f"me:{FLOWER_PASSWORD}"}
        self.flower = self.docmill("flower", "--port", str(self.flower_port), environment=secret)

    @property
    def parts(self) -> list[subprocess.Popen[bytes]]:
        return [*super().parts, *([self.flower] if self.flower is not None else [])]

    def submit(self, collection: str = "texts", *, per_chunk: int = 4, seconds: float = 0) -> int:  # noqa: ARG002
        with self.store.write() as session:
            new = NewJob(
                kind=KIND,
                parameters={},
                collection_id=documents.collection_id(session, collection),
                chunk_size=ChunkSize(per_chunk, 1_000_000),
            )
            return jobs.submit(session, new).job_id

    def finish(self, job_id: int) -> None:
        until(lambda: self.state(job_id) == "finished", f"the end of job {job_id}")

    def ask_flower(
        self, path: str, password: str | None = FLOWER_PASSWORD, form: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """(status, body) of a GET, or of a POST if there is a form; no password means no credentials."""
        data = None if form is None else urlencode(form).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.flower_port}{path}", data)
        if password is not None:
            request.add_header("Authorization", "Basic " + b64encode(f"me:{password}".encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def flower_answers(self) -> bool:
        with suppress(OSError):
            return self.ask_flower("/healthcheck")[0] == 200
        return False

    def written(self) -> dict[str, bytes]:
        """Every file that docmill, Flower or Redis wrote beside the store, by name."""
        folders = (self.folder, self.redis.folder)
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in files}


def listeners(pids: list[int]) -> set[str]:
    """ "127.0.0.1:5555" for each TCP socket on which one of these processes listens; UDP sockets as "udp ..."."""
    inodes = {inode for pid in pids for inode in _socket_inodes(pid)}
    found = set()
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            # 0A: listening; a UDP socket without a peer is as good as that.
            waits = words[3] == ("0A" if name.startswith("tcp") else "07")
            if waits and words[9] in inodes:
                found.add(_shown(name, words[1]))
    return found


def _socket_inodes(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            target = str(link.readlink())
            if target.startswith("socket:["):
                found.add(target[8:-1])
    return found


def _shown(protocol: str, address: str) -> str:
    host, _, port = address.partition(":")
    words = [bytes.fromhex(host[i : i + 8])[::-1] for i in range(0, len(host), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    shown = socket.inet_ntop(family, b"".join(words))
    return f"{'' if protocol.startswith('tcp') else 'udp '}{shown}:{int(port, 16)}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
