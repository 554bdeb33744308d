"""docs/rest.md: its commands run in their order against a server, and what it says of answers holds."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from db import access
from db.access import Role
from db.store import Store
from docmill.web.api import bodies, idempotency, problems
from tests.web.api.conftest import Program, Served

PAGE = (Path(__file__).parents[3] / "docs" / "rest.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```sh run\n(.*?)^```(?:\n+```json\n(.*?)^```)?", PAGE, flags=re.M | re.S)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_of_the_page_run_as_it_shows(served: Served, store: Store, tmp_path: Path) -> None:
    with store.write() as session:
        key = access.create_key(session, "my-program", Role.OPERATE)
    environment = os.environ | {"DOCMILL": f"http://127.0.0.1:{served.port}", "KEY": key}
    assert len(COMMANDS) >= 4
    job = "1"
    for written, shown in COMMANDS:
        command = written.replace("/jobs/1", f"/jobs/{job}")
        script = f'set -euo pipefail\ncurl() {{ command curl --fail-with-body "$@"; }}\n{command}'
        said = subprocess.run(
            ["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert said.returncode == 0, f"{command}\n{said.stdout}{said.stderr}"
        if shown:
            assert _numbered(said.stdout) == _numbered(shown)
            job = str(json.loads(said.stdout).get("id", job))
    assert (tmp_path / "summaries.csv").read_text().startswith('"document_key"')


def test_the_problem_that_the_page_shows_is_real(program: Program) -> None:
    [shown] = re.findall(r"^```json\n(\{\"type\".*?)^```", PAGE, flags=re.M | re.S)
    program.add("inbox", '{"id": "a", "text": "b"}')
    body = {"kind": "summarize", "collection": "inbox", "parameters": {"sentences": 0}}
    assert program.tell("/jobs", body, 422) == json.loads(shown)


def test_every_code_of_a_problem_is_in_the_page() -> None:
    sources = Path(problems.__file__).parent.glob("*.py")
    codes = {
        code for path in sources for code in re.findall(r'Problem\(\s*\d+,\s*"([a-z-]+)"', path.read_text())
    }
    assert codes >= {"not-found", "too-slow", "no-key"}
    table = dict.fromkeys(re.findall(r"`([a-z-]+)`", PAGE))
    assert codes - set(table) == set()
    assert f"{bodies.LEAST_BYTES_A_SECOND:,} bytes a second" in PAGE
    assert idempotency.REPLAYED in PAGE.lower()


def _numbered(text: str) -> object:
    """The number of a job depends on what was there before."""
    return {name: value for name, value in json.loads(text).items() if name != "id"}
