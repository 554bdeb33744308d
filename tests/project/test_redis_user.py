"""The Redis user of production: all that Celery does, and nothing else."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from celery import Celery
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.retry import Retry

from tests.servers import missing_redis, short_folder, until

ROOT = Path(__file__).parents[2]
PASSWORD = "a-canary-of-a-password"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Redis as production starts it."""
    if missing := missing_redis():
        pytest.skip(missing)
    folder = short_folder("dm-acl-")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = os.environ | {
        "REDIS_PASSWORD": PASSWORD,
        "REDIS_RUN": str(folder),
        "REDIS_DATA": str(folder),
    }
    command = [ROOT / "deploy" / "redis-start", "--port", str(port), "--bind", "127.0.0.1"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        until(lambda: server.poll() is not None or _answers(port), "Redis answering")
        yield port
        assert PASSWORD.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
        assert PASSWORD not in (folder / "users.acl").read_text()
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


def _answers(port: int) -> bool:
    try:
        return bool(client(port).ping())
    except RedisError:
        return False


def client(port: int, user: str = "docmill", password: str = PASSWORD) -> redis.Redis:
    return redis.Redis(port=port, username=user, password=password, retry=Retry(NoBackoff(), 0))


@pytest.fixture
def app(port: int) -> Iterator[Celery]:
    from workers.app import make_app
    from workers.settings import settings

    os.environ["DOCMILL_REDIS_URL"] = f"redis://docmill:{PASSWORD}@127.0.0.1:{port}/0"
    settings.cache_clear()
    app = make_app()
    yield app
    app.close()
    del os.environ["DOCMILL_REDIS_URL"]


def test_a_message_goes_in_and_out(app: Celery) -> None:
    app.send_task("docmill.run_chunk", args=(7,), queue="docmill.classify", priority=3)

    with (
        app.connection_for_read() as connection,
        connection.SimpleQueue(app.amqp.queues["docmill.classify"]) as queue,
    ):
        message = queue.get(timeout=10)
        message.ack()

    assert message.payload[0] == [7]


def test_a_message_that_was_not_acknowledged_comes_back(app: Celery) -> None:
    app.send_task("docmill.run_chunk", args=(8,), queue="docmill.similarity")
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(app.amqp.queues["docmill.similarity"])
        queue.get(timeout=10)
        connection.default_channel.qos.restore_unacked_once()

    with (
        app.connection_for_read() as connection,
        connection.SimpleQueue(app.amqp.queues["docmill.similarity"]) as queue,
    ):
        again = queue.get(timeout=10)
        again.ack()

    assert again.payload[0] == [8]


def test_events_reach_flower(app: Celery) -> None:
    seen: list[str] = []
    with (
        app.connection_for_read() as connection,
        app.events.default_dispatcher(hostname="test") as dispatcher,
    ):
        receiver = app.events.Receiver(connection, handlers={"*": lambda event: seen.append(event["type"])})

        def sent_and_seen() -> list[str]:
            # Nobody hears what was said before they listened, so it is said until heard.
            dispatcher.send("worker-online")
            with suppress(TimeoutError):
                listening.drain_events(timeout=0.2)
            return seen

        with receiver.consumer_context() as (listening, _, _):
            until(sent_and_seen, "the event")

    assert seen[0] == "worker-online"


def test_workers_can_be_pinged(app: Celery) -> None:
    """The broadcast and the queue of answers; that no worker runs here is an answer too."""
    assert app.control.ping(timeout=0.2) == []


@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL", "FLUSHDB", "KEYS *", "CONFIG GET *", "CONFIG SET dir /", "MODULE LIST", "SAVE", "BGREWRITEAOF",
        "SHUTDOWN", "ACL LIST", "ACL SETUSER docmill ~*", "CLIENT LIST", "CLIENT KILL TYPE normal", "MONITOR",
        "REPLICAOF 127.0.0.1 1", "MIGRATE 127.0.0.1 1 docmill.a 0 1", "GET somebody:else", "SET somebody:else 1",
        "PUBLISH somebody:else 1", "SCRIPT FLUSH", "FUNCTION FLUSH", "FUNCTION LIST", "SORT docmill.a BY x_*",
        "SWAPDB 0 1",
    ],
)  # fmt: skip
def test_anything_else_is_refused(port: int, command: str) -> None:
    with client(port) as connection, pytest.raises(NoPermissionError):
        connection.execute_command(*command.split())


@pytest.mark.parametrize(("user", "password"), [("default", ""), ("docmill", "wrong"), ("docmill", "")])
def test_nobody_else_comes_in(port: int, user: str, password: str) -> None:
    with client(port, user, password) as connection, pytest.raises(AuthenticationError):
        connection.ping()
