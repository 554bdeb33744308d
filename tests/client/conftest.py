"""A client of a store, and the same client of a server before that store."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from db import access
from db.access import Role
from db.store import Store
from docmill import AsyncClient, Client
from docmill.web.app import create_app
from tests.commands.conftest import Shell
from tests.commands.conftest import shell as shell
from tests.commands.conftest import shell_on_both as shell_on_both

STORE, SERVER = "store", "server"


def url_of(store: Store) -> str:
    return store.url.render_as_string(hide_password=False)


@contextmanager
def served(store: Store, before: Callable[[Any], Any] = lambda app: app) -> Iterator[str]:
    """The application on a real socket, in a thread, perhaps with something before it; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            before(create_app(store)), log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def key_of(store: Store, role: Role = Role.OPERATE) -> str:
    with store.write() as session:
        return access.create_key(session, f"a {role} key", role)


@dataclass
class Way:
    """Where clients connect to, and who works off the jobs."""

    name: str
    url: str
    key: str | None
    shell: Shell

    def client(self) -> Client:
        return Client(self.url, key=self.key, retry_seconds=5)

    def async_client(self) -> AsyncClient:
        return AsyncClient(self.url, key=self.key, retry_seconds=5)

    def work(self, job_id: int) -> None:
        self.shell.work(job_id)


def ways(name: str, shell: Shell) -> Iterator[Way]:
    if name == STORE:
        yield Way(name, url_of(shell.store), None, shell)
        return
    with served(shell.store) as url:
        yield Way(name, url, key_of(shell.store), shell)


@pytest.fixture(params=[STORE, SERVER])
def way(request: pytest.FixtureRequest, shell: Shell) -> Iterator[Way]:
    """Both ways, on SQLite."""
    yield from ways(request.param, shell)


@pytest.fixture(params=[STORE, SERVER])
def way_on_both(request: pytest.FixtureRequest, shell_on_both: Shell) -> Iterator[Way]:
    """Both ways, on SQLite and on PostgreSQL."""
    yield from ways(request.param, shell_on_both)


@pytest.fixture
def client(way: Way) -> Iterator[Client]:
    with way.client() as client:
        yield client
