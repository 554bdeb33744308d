"""Programs that use the REST interface, with keys of every role."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from db import access, chunks, documents
from db.access import Role
from db.chunks import Written
from db.results import Rows
from db.store import Store
from docmill.web.app import create_app
from tests.db import builders
from tests.db.builders import chunks_of, held


class Program(TestClient):
    """A program with a key."""

    def ask(self, path: str, status: int = 200, **values: Any) -> Any:
        """The answer to GET as JSON."""
        return self.told(self.get(f"/v1{path}", **values), status)

    def tell(self, path: str, body: Any = None, status: int = 200, **values: Any) -> Any:
        """The answer to POST as JSON."""
        return self.told(self.post(f"/v1{path}", json=body if body is not None else {}, **values), status)

    def add(self, collection: str, lines: str | bytes, status: int = 200, **values: Any) -> Any:
        """The answer to a stream of JSON Lines."""
        headers = {"content-type": "application/x-ndjson"}
        answer = self.post(
            f"/v1/collections/{collection}/documents", content=lines, headers=headers, **values
        )
        return self.told(answer, status)

    @staticmethod
    def told(answer: Any, status: int) -> Any:
        assert answer.status_code == status, f"{answer.request.url}: {answer.status_code}\n{answer.text}"
        wanted = "application/json" if status < 400 else "application/problem+json"
        assert answer.headers["content-type"] == wanted
        return answer.json()


def lines(n: int, first: int = 0) -> str:
    """`n` documents as JSON Lines: k0 with "text 0", and so on."""
    numbers = range(first, first + n)
    return "".join(json.dumps({"id": f"k{i}", "text": f"text {i}", "year": i}) + "\n" for i in numbers)


def with_key(store: Store, role: Role | None = Role.OPERATE) -> Program:
    """A program with a key of this role; without one for None."""
    headers = {}
    if role is not None:
        with store.write() as session:
            headers = {"authorization": f"Bearer {access.create_key(session, f'a {role} key', role)}"}
    return Program(create_app(store), base_url="http://localhost", headers=headers)


@pytest.fixture
def program(store: Store) -> Iterator[Program]:
    """One that may do everything."""
    with with_key(store) as found:
        yield found


@dataclass(frozen=True)
class Served:
    """A real server."""

    port: int
    app: Any

    @property
    def n_streams(self) -> int:
        """Streams that are being read."""
        return int(self.app.state.streams._limiter.borrowed_tokens)


@pytest.fixture
def served(store: Store) -> Iterator[Served]:
    """A real server over the store."""
    app = create_app(store)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield Served(listener.getsockname()[1], app)
        server.should_exit = True
        thread.join()


def finish(store: Store, job_id: int) -> None:
    """Every document of a job of the kind `oracle` gets a result; "text 3" and "text 4" fail."""
    for chunk in chunks_of(store, job_id):
        claimed = held(store, chunk.id)
        ids = list(claimed.document_ids)
        with store.read() as session:
            found = documents.texts(session, ids)
        bad = [text.id for text in found if text.text in ("text 3", "text 4")]
        rows = [(text.id, 1, f"label of {text.key}", 0.5, None) for text in found if text.id not in bad]
        written = Written(
            ok_ids=[row[0] for row in rows],
            errors=[(id_, "TOO_ODD", "it is too odd") for id_ in bad],
            rows={"classification": Rows(("document_id", "rank", "label", "score", "reason"), rows)},
        )
        with store.write() as session:
            chunks.write(session, claimed, written, 60, close=True)
    assert builders.finish(store, job_id)
