"""The examples for Airflow and Prefect: their steps over a server, and that the frameworks' files use those steps.

The frameworks are not installed for the tests: the head of each file says how to try it with its framework.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.client.conftest import key_of, served, shell
from tests.commands.conftest import Shell
from workers.settings import settings

__all__ = ["shell"]

FOLDER = Path(__file__).parents[2] / "examples" / "orchestrators"


@pytest.fixture
def steps(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The functions, which connect to what the environment names."""
    spec = importlib.util.spec_from_file_location("night_jobs", FOLDER / "night_jobs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with served(shell.store) as url:
        monkeypatch.setenv("DOCMILL_SERVER_URL", url)
        monkeypatch.setenv("DOCMILL_SERVER_KEY", key_of(shell.store))
        settings.cache_clear()
        yield module


def test_the_steps_of_a_night(steps: ModuleType, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(
        '{"id": "a", "text": "fine"}\n{"id": "b", "text": "!raise"}\n{"id": "c"}\n', encoding="utf-8"
    )

    assert steps.add([str(file)], "inbox") == {"new": 2, "changed": 0, "bad": 1}
    number = steps.submit("oracle", "inbox", "night 1")
    # A step that is run again.
    assert steps.submit("oracle", "inbox", "night 1") == number
    shell.work(number)

    with pytest.raises(
        RuntimeError, match=rf"job {number} \(oracle\): 1 of 2 documents have no result: \w+ \(1\)"
    ):
        steps.finish(number)
    assert steps.finish(number, most_failed=0.5) == {"documents": 2, "failed": 1}
    file.write_text('{"id": "a", "text": "fine"}\n', encoding="utf-8")
    assert steps.finish(None) == {"documents": 0, "failed": 0}


@pytest.mark.parametrize("name", ["airflow_dag.py", "prefect_flow.py"])
def test_a_frameworks_file_uses_the_steps_that_there_are(steps: ModuleType, name: str) -> None:
    tree = ast.parse((FOLDER / name).read_text(encoding="utf-8"))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "night_jobs"
    }
    assert used == {"add", "submit", "finish"}
    assert all(callable(getattr(steps, each)) for each in used)
