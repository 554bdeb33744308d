"""What anybody who can write into Redis can do to a worker: nothing but lose their own message."""

from __future__ import annotations

import json
import os
import pickle
import uuid
from base64 import b64encode
from pathlib import Path
from typing import Any

from tests.security.production import KIND, Production
from tests.servers import until
from workers.names import TASK_NAME, queue_of

PICKLE = "application/x-python-serialize"


class Payload:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def message(
    body: bytes, content_type: str = "application/json", task: Any = TASK_NAME, **headers: Any
) -> str:
    """A message as kombu keeps it in a Redis list."""
    number = str(uuid.uuid4())
    about = {"lang": "py", "task": task, "id": number, "root_id": number, "parent_id": None, "group": None}
    properties = {
        "correlation_id": number,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue_of(KIND)},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid.uuid4()),
    }
    return json.dumps(
        {
            "body": b64encode(body).decode(),
            "content-encoding": "binary" if content_type == PICKLE else "utf-8",
            "content-type": content_type,
            "headers": about | headers,
            "properties": properties,
        }
    )


def call(*arguments: Any, **named: Any) -> bytes:
    """The body of a Celery message."""
    return json.dumps(
        [arguments, named, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    ).encode()


def test_a_planted_pickle_does_nothing(production: Production) -> None:
    marker = production.folder / "unpickled"
    payload = pickle.dumps(((Payload(marker),), {}, {}))
    pickle.loads(payload)
    marker.rmdir()  # it does something where it is unpickled
    before = production.children()

    plant(
        production, message(payload, PICKLE), message(payload, "application/json"), message(payload, "pickle")
    )
    production.finish(production.submit())

    assert not marker.exists()
    assert "ContentDisallowed" in production.log("worker")
    assert production.children() == before


BAD = {
    "an unknown task": message(call(1), task="os.system"),
    "a task of Celery's own": message(call([[1]]), task="celery.accumulate"),
    "text for a number": message(call("'; DROP TABLE job; --")),
    "a number beyond 64 bits": message(call(10**30)),
    "a fraction": message(call(1.5)),
    "null": message(call(None)),
    "a list": message(call([1, 2])),
    "an object": message(call({"chunk_id": 1})),
    "a negative number": message(call(-1)),
    "no argument": message(call()),
    "too many arguments": message(call(1, 2, 3)),
    "an unknown name": message(call(1, shell="rm -rf /")),
    "deep nesting": message(b"[" * 5_000 + b"]" * 5_000),
    "no JSON": message(b"{"),
    "no list": message(b"7"),
    "no UTF-8": message(b"\xff\xfe"),
    "YAML": message(b"!!python/object/apply:os.system ['true']", "application/x-yaml"),
    "a time limit of one number": message(call(1), timelimit=5),
    "a task that is a list": message(call(1), task=["docmill.run_chunk"]),
    "a time that is none": message(call(1), eta="tonight"),
    "an unknown compression": message(call(1), compression="application/nothing"),
    "no gzip": message(call(1), compression="application/x-gzip"),
    "a name with a line break": message(call(1), task="x\n2026-01-01 INFO forged: line"),
}  # fmt: skip


def test_a_bad_message_costs_nothing_but_itself(production: Production) -> None:
    workers = (production.parents(), production.children())

    plant(production, *BAD.values())
    production.finish(production.submit())

    assert (production.parents(), production.children()) == workers
    assert "forged: line" in production.log("worker")
    assert not any(line.startswith("2026-01-01 INFO forged") for line in production.log("worker").split("\n"))


def test_what_is_no_message_at_all_does_not_end_the_work(production: Production) -> None:
    """Celery's parent process ends on it, and the launcher starts it again."""
    plant(production, "no message")
    production.finish(production.submit())


def plant(production: Production, *items: str) -> None:
    """Put items into the worker's queue, and wait until it took them all."""
    queue = queue_of(KIND)
    with production.redis.client() as client:
        client.lpush(queue, *items)
        until(lambda: client.llen(queue) == 0, "the worker taking the messages", 20)
