"""The web server over a store, and browsers and programs that use it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from db import access
from db.access import Role
from db.store import Store
from docmill.web.app import create_app

LOGIN_TOKEN = "the-printed-token"


class Browser(TestClient):
    """Somebody in a browser: keeps cookies, sends forms with the token of the page that it saw."""

    def see(self, path: str, status: int = 200) -> str:
        answer = self.get(path)
        assert answer.status_code == status, f"{path}: {answer.status_code}\n{answer.text}"
        return answer.text

    def fill_in(self, path: str, fields: dict[str, str], status: int = 200, page: str = "/") -> str:
        """Send a form of a page; follows to where it leads."""
        found = re.search(r'name="form_token" value="([^"]+)"', self.see(page))
        assert found is not None
        answer = self.post(path, data=fields | {"form_token": found[1]})
        assert answer.status_code == status, f"{path}: {answer.status_code}\n{answer.text}"
        return answer.text


@pytest.fixture
def anonymous(store: Store) -> Iterator[Browser]:
    """Nobody yet."""
    with Browser(create_app(store, login_token=LOGIN_TOKEN), base_url="http://localhost") as browser:
        yield browser


@pytest.fixture
def browser(anonymous: Browser) -> Browser:
    """Whoever started the server."""
    anonymous.see(f"/login?token={LOGIN_TOKEN}")
    return anonymous


def signed_in(store: Store, role: Role) -> Browser:
    """Somebody with a key of this role."""
    with store.write() as session:
        key = access.create_key(session, f"a {role} key", role)
    browser = Browser(create_app(store), base_url="http://localhost")
    assert browser.post("/login", data={"key": key}).status_code == 200
    return browser
