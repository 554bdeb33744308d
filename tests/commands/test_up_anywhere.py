"""`docmill up` in a folder that holds modules named as ours are, and what its terminal shows when a child dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.servers import missing_redis, until
from workers.settings import settings

pytestmark = [pytest.mark.stack, pytest.mark.slow]

DOCMILL = Path(sys.executable).with_name("docmill")
#: Our packages, and a few of the modules that they and Python import.
NAMES = (
    "db",
    "workers",
    "scheduler",
    "nlp_tasks",
    "celery",
    "billiard",
    "redis",
    "flower",
    "queue",
    "logging",
)
MY_KINDS = """
from dataclasses import dataclass
from nlp_tasks.kind import Kind, Stage

@dataclass(frozen=True)
class Nothing:
    pass

class Shrug:
    batch_documents, batch_chars = 10, 10_000

    def __init__(self, setup):
        pass

    def run(self, documents):
        return [()] * len(documents)

KINDS = [Kind(name="shrug", summary="Shrugs.", parameters=Nothing, stages=(Stage("shrug", Shrug),))]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Somebody's project, with a module of kinds beside packages whose names are ours too."""
    if missing := missing_redis():
        pytest.skip(missing)
    folder = tmp_path / "project"
    for name in NAMES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(
            f"raise SystemExit('this is the project\\'s own {name}')\n"
        )
    (folder / "my_kinds.py").write_text(MY_KINDS)
    (folder / "note.txt").write_text("The mill grinds. The river flows. The wheel turns all night.")
    return folder


@contextmanager
def up(folder: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """`docmill up` there, and the file that stands for its terminal."""
    terminal = folder.parent / "terminal"
    command = [DOCMILL, "up", "--devices", "cpu:1", "--flower-port", "0", "--no-pages"]
    with terminal.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | environment, stdout=output, stderr=output
        )
    try:
        until(lambda: "docmill is up" in terminal.read_text() or process.poll() is not None, "docmill up")
        yield process, terminal
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def docmill(folder: Path, *words: str) -> str:
    said = subprocess.run(
        [DOCMILL, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert said.returncode == 0, said
    return said.stdout


def test_modules_in_the_current_folder_replace_none_of_ours_and_kinds_there_load(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCMILL_KIND_MODULES", "my_kinds")
    with up(folder) as (process, terminal):
        docmill(folder, "add", "note.txt", "--collection", "notes")
        for kind in ("summarize", "shrug"):
            assert "1 ok" in docmill(folder, "submit", kind, "--collection", "notes", "--wait")
        assert "BAD" not in docmill(folder, "doctor")
        words = [" ".join(child.cmdline()) for child in psutil.Process(process.pid).children(recursive=True)]
        assert any("flower" in line for line in words)
        assert "ended" not in terminal.read_text()
        why = "cpu-0 (--devices cpu:1): the CPU was asked for."
        assert f"devices: {why}" in terminal.read_text()
        assert (
            f"INFO docmill.launcher MainProcess: {why}"
            in (settings().home_path / "logs" / "worker.log").read_text()
        )
    assert process.returncode == 0
    assert "the project's own" not in terminal.read_text()


@pytest.mark.parametrize(
    ("who", "name"),
    [("workers.processes.celery_command worker", "cpu-0"), ("docmill.cli scheduler", "scheduler")],
)
def test_the_last_line_of_a_child_that_dies_reaches_the_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, who: str, name: str
) -> None:
    """Of the services, and of the Celery processes that the worker service starts."""
    hooks = folder.parent / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(
        "import os, sys\n"
        f"if {who!r} in ' '.join(sys.orig_argv):\n"
        "    print('Traceback\\n  no licence for this machine', file=sys.stderr, flush=True)\n"
        "    os._exit(3)\n"
    )
    with up(folder, PYTHONPATH=str(hooks)) as (_, terminal):
        wanted = "ended (exit code 3), starting it again in 1 s; it said: no licence for this machine"
        until(lambda: wanted in terminal.read_text(), "the last line on the terminal")
    assert any(line.startswith(name) and wanted in line for line in terminal.read_text().splitlines())


@pytest.mark.parametrize("command", [("up",), ("scheduler",), ("worker",)])
@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "cannot import 'my_kinds': No module named 'my_kinds'"),
        ("KINDS = [", "cannot import 'my_kinds': SyntaxError"),
        ("x = undefined", "cannot import 'my_kinds': NameError"),
        ("", "needs KINDS"),
        ("KINDS = ['shrug']", "needs KINDS"),
        ("from nlp_tasks.registry import KINDS as K; KINDS = list(K.values())", "repeats the kind"),
    ],
)
def test_bad_kind_modules_stop_whatever_would_need_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], code: str | None, words: str
) -> None:
    if code is not None:
        (tmp_path / "my_kinds.py").write_text(code)
    monkeypatch.setenv("DOCMILL_KIND_MODULES", "my_kinds")

    said = subprocess.run(
        [DOCMILL, *command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert said.returncode == 2, said
    [line] = [line for line in said.stderr.splitlines() if "DOCMILL_KIND_MODULES" in line]
    assert line.startswith("docmill: DOCMILL_KIND_MODULES: ")
    assert words in line
    assert "Traceback" not in said.stderr
