"""Programs that use the REST interface, with keys of every role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from db import access
from db.access import Role
from db.store import Store
from docmill.web.app import create_app


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
