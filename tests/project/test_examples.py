"""Every script in examples/ runs as its docstring says, against one `docmill up`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import missing_redis

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".sh"))
#: Arguments, and what has to be printed.
EXPECTED: dict[str, tuple[list[str], str]] = {
    "add_records.py": (
        [],
        r"2 new, 0 unchanged, 2 bad\n  records:3: EMPTY_TEXT.*\n  records:4: DUPLICATE_KEY",
    ),
    "correct_labels.py": ([], r"corrected@1\ncorrected@\S+\n\[\{'corrections': 1\}\]"),
    "errors_and_retry.py": (
        [],
        r"not yet: job \d+(.|\n)*1 ok, 1 failed\npage: (.|\n)*the retry of 1 document: 1 ok",
    ),
    "keywords_to_csv.py": (["{tmp}/keywords.csv"], r"wrote .*keywords\.csv"),
    "nightly_schedule.sh": ([], r"submitted jobs \d+\n(.|\n)*nothing to do"),
    "own_kind.py": ([], r"'n_words': 1, 'n_sentences': 2"),
    "progress.py": ([], r"finished: 20 of 20 succeeded"),
    "query_with_sql.py": ([], r"(.+: .+\n){3}refused: .*summmary"),
    "similar_documents.py": ([], r"(.+ ~ .+ \(\d\.\d\d\)\n){20}some shared words: \w+, "),
    "submit_folder.py": (["documents/filings"], r"(.+: .+\n){14}"),
    "train_and_classify.py": ([], r"new-1: delivery \(\d\.\d\d\)\nnew-2: payment \(\d\.\d\d\)"),
}

pytestmark = pytest.mark.stack


def environment(home: Path) -> dict[str, str]:
    cleared = {
        name: value for name, value in os.environ.items() if not name.startswith(("DOCMILL_", "FLOWER_"))
    }
    return cleared | {
        "DOCMILL_HOME": str(home),
        "DOCMILL_KIND_MODULES": "own_kind",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`docmill up` in the folder of the examples, with a home of its own."""
    if missing := missing_redis():
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("examples")
    command = ["docmill", "up", "--devices", "cpu:1", "--flower-port", "0"]
    up = subprocess.Popen(command, env=environment(folder), stdout=subprocess.PIPE, text=True, cwd=EXAMPLES)
    assert up.stdout is not None
    assert any("docmill is up" in line for line in iter(up.stdout.readline, ""))
    yield folder
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=60)
    assert up.returncode == 0


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_runs(home: Path, tmp_path: Path, name: str) -> None:
    arguments, pattern = EXPECTED[name]
    command = [sys.executable, name] if name.endswith(".py") else ["bash", name]
    said = subprocess.run(
        [*command, *(argument.format(tmp=tmp_path) for argument in arguments)],
        env=environment(home),
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert re.search(pattern, said.stdout), said.stdout + said.stderr


def test_every_example_is_listed_and_says_how_to_run_it() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for name in SCRIPTS:
        assert f"[{name}]({name})" in listed
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        assert re.search(rf"^#? {{4,}}(python )?(examples/)?{re.escape(name)}", text, re.MULTILINE), name
