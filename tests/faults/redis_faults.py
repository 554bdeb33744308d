"""Faults of Redis: gone with its data, full, frozen, flushed, older than it was, and repeating itself."""

from __future__ import annotations

import base64
import json
import os
import pickle
import shutil
import time
from contextlib import suppress

import redis

from tests.faults.stack import Stack
from tests.faults.trial import BOTH, ON_POSTGRES, ON_SQLITE, Fault, spread
from tests.servers import until

QUEUE = "docmill.oracle"


def kill(stack: Stack, job_id: int) -> int:
    """Without persistence: what it held is lost."""
    n = 0
    for _ in spread(stack, job_id, 2):
        stack.redis.kill()
        stack.redis.start()
        n += 1
    return n


def shut_down(stack: Stack, job_id: int) -> int:
    with stack.redis.client() as client, suppress(redis.exceptions.ConnectionError):
        client.shutdown(nosave=True)
    stack.redis.kill()
    stack.redis.start()
    return 1


def flush(stack: Stack, job_id: int) -> int:
    n = 0
    with stack.redis.client() as client:
        for _ in spread(stack, job_id, 40):
            client.flushall()
            n += 1
    return n


def cut_connections(stack: Stack, job_id: int) -> int:
    n = 0
    with stack.redis.client() as client:
        for _ in spread(stack, job_id, 8):
            client.client_kill_filter(_type="normal", skipme=True)
            client.client_kill_filter(_type="pubsub", skipme=True)
            n += 1
    return n


def fill(stack: Stack, job_id: int) -> int:
    """maxmemory with noeviction: every write is refused."""
    n = 0
    with stack.redis.client() as client:
        for _ in spread(stack, job_id, 3):
            client.config_set("maxmemory", 1)
            _refused_for(client, 1.0)
            client.config_set("maxmemory", 0)
            n += 1
    return n


def freeze(seconds: float):  # type: ignore[no-untyped-def]
    def inject(stack: Stack, job_id: int) -> int:
        stack.redis.freeze()
        time.sleep(seconds)
        stack.redis.thaw()
        return 1

    return inject


def restore_old(stack: Stack, job_id: int) -> int:
    """It comes back with messages that were worked off long ago."""
    with stack.redis.client() as client:
        client.save()
    saved = stack.redis.folder / "dump.rdb"
    shutil.copy(saved, stack.redis.folder / "old.rdb")
    for _ in spread(stack, job_id, 2):
        pass
    stack.redis.kill()
    shutil.copy(stack.redis.folder / "old.rdb", saved)
    stack.redis.start()
    saved.unlink()
    return 1


def repeat_messages(stack: Stack, job_id: int) -> int:
    """Every message that waits is there three times more, again and again."""
    n = 0
    with stack.redis.client() as client:
        for _ in spread(stack, job_id, 30):
            for key in client.keys(f"{QUEUE}*"):
                with suppress(redis.exceptions.ResponseError):
                    waiting = client.lrange(key, 0, 50)
                    if waiting and client.llen(key) < 200:
                        client.rpush(key, *(waiting * 3))
                        n += 3 * len(waiting)
    return n


def plant_pickles(stack: Stack, job_id: int) -> int:
    """Messages that are pickles, or no messages at all, do nothing and stop nobody."""
    marker = stack.folder / "pickled"
    body = pickle.dumps(_Touch(str(marker)))
    with stack.redis.client() as client:
        for _ in range(3):
            client.lpush(QUEUE, _envelope(base64.b64encode(body).decode(), "application/x-python-serialize"))
            client.lpush(QUEUE, _envelope(base64.b64encode(b"[1").decode(), "application/json"))
    until(lambda: _is_empty(stack), "the planted messages being taken")
    assert not marker.exists(), "a planted pickle was loaded"
    return 6


class _Touch:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return os.mkdir, (self.path,)


def _envelope(body: str, content_type: str) -> str:
    properties = {
        "correlation_id": "planted",
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": QUEUE},
        "priority": 4,
        "body_encoding": "base64",
        "delivery_tag": f"planted-{time.monotonic_ns()}",
    }
    return json.dumps(
        {
            "body": body,
            "content-encoding": "binary",
            "content-type": content_type,
            "headers": {
                "lang": "py",
                "task": "docmill.run_chunk",
                "id": "planted",
                "argsrepr": "",
                "kwargsrepr": "",
            },
            "properties": properties,
        }
    )


def _is_empty(stack: Stack) -> bool:
    with stack.redis.client() as client:
        return client.llen(QUEUE) == 0


def _refused_for(client: redis.Redis, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(redis.exceptions.OutOfMemoryError, redis.exceptions.ResponseError):
            client.set("probe", "x")
            client.delete("probe")
        time.sleep(0.05)


FAULTS = (
    Fault("kill -9 of Redis with all its data", kill, quick=BOTH),
    Fault("Redis SHUTDOWN NOSAVE", shut_down, harmless=True),
    Fault("FLUSHALL in a loop", flush, quick=ON_SQLITE, harmless=True),
    Fault("every connection to Redis cut", cut_connections, harmless=True),
    Fault("Redis full", fill, harmless=True),
    Fault("Redis frozen for 5 s", freeze(5), harmless=True),
    Fault("Redis frozen for 60 s", freeze(60), harmless=True),
    Fault("Redis restored from an old dump", restore_old, harmless=True),
    Fault("every message sent many times", repeat_messages, quick=ON_POSTGRES, harmless=True),
    Fault("planted pickles and garbage", plant_pickles, harmless=True),
)
