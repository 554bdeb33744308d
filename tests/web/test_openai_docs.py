"""The example of docs/openai.md, as a program beside a server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import uvicorn

from db import access
from db.access import Role
from db.store import Store
from docmill.web.app import create_app
from tests.servers import until
from tests.web.mill import mill

pytest.importorskip("openai")
PAGE = Path(__file__).parents[2] / "docs" / "openai.md"


def test_the_example_of_the_page_runs(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCMILL_DATABASE_URL", sqlite_store.url.render_as_string(hide_password=False))
    [example] = re.findall(r"```python\n(import json.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    with sqlite_store.write() as session:
        key = access.create_key(session, "programs", Role.SUBMIT)
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(create_app(sqlite_store), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    environment = os.environ | {"DOCMILL_URL": url, "DOCMILL_KEY": key, "PYTHONUTF8": "1"}
    program = subprocess.Popen(
        [sys.executable, "-c", example], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        with mill(sqlite_store) as works:

            def ended() -> bool:
                works.run()
                return program.poll() is not None

            until(ended, "the end of the program", 240)
            assert program.stdout is not None
            said = program.stdout.read().splitlines()
    finally:
        program.kill()
        program.communicate()
        server.should_exit = True
        thread.join()
        listener.close()
    assert program.returncode == 0
    assert said == ["a The bank raised rates.", "b 한국은행이 금리를 올렸다."]
