"""make bench-all: every benchmark runs, and what became worse since the last release is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import release

MAKEFILE = """\
.PHONY: bench-fast bench-broken bench-all bench-gpu
bench-fast: ## fast
\t@echo progress; echo '{line}'
bench-broken:
\t@echo 'no such model'; exit 3
bench-all:
\t@exit 4
bench-gpu:
\t@exit 5
"""


def _line(speed: float, lost: int) -> str:
    bars = {"speed": {"value": speed, "at_least": 2}, "lost": {"value": lost, "at_most": 0}}
    return json.dumps({"figures": {}, "bars": bars})


def _run(tmp_path: Path, speed: float, lost: int = 0, *options: str) -> int:
    makefile = tmp_path / "Makefile"
    makefile.write_text(MAKEFILE.replace("{line}", _line(speed, lost)), "utf-8")
    return release.main(["--makefile", str(makefile), "--figures", str(tmp_path / "release.json"), *options])


def test_a_fall_of_more_than_a_tenth_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, 10.0, 0, "--only", "fast", "--save") == 0
    assert _run(tmp_path, 9.5, 0, "--only", "fast") == 0
    assert "WORSE" not in capsys.readouterr().out
    assert _run(tmp_path, 8.0, 0, "--only", "fast") == 0
    shown = capsys.readouterr().out
    assert "-20%  WORSE" in shown
    assert "0 missed their threshold, 1 are more than 10% worse" in shown


def test_figures_that_are_not_saved_leave_the_last_release_as_it_is(tmp_path: Path) -> None:
    _run(tmp_path, 10.0, 0, "--only", "fast", "--save")
    _run(tmp_path, 4.0, 0, "--only", "fast")
    assert release.read(tmp_path / "release.json")["bench-fast"].bars["speed"]["value"] == 10.0


def test_less_is_better_where_the_threshold_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(tmp_path, 10.0, 0, "--only", "fast", "--save")
    assert _run(tmp_path, 10.0, 3, "--only", "fast") == 0, "the benchmark itself ends with 0 here"
    shown = capsys.readouterr().out
    assert "<= 0  MISSED" in shown
    assert "-inf%  WORSE" in shown


def test_a_benchmark_that_fails_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(tmp_path, 10.0) == 1
    shown = capsys.readouterr().out
    assert "FAILED  make bench-broken: exit status 2" in shown
    assert "no such model" in shown
    assert "2 benchmarks, 2 figures" in shown, "bench-all and bench-gpu are no benchmarks of their own"


def test_words_that_name_no_benchmark_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _run(tmp_path, 10.0, 0, "--only", "quick")
    assert "no benchmark of" in capsys.readouterr().err


def test_the_makefile_has_the_benchmarks_that_it_declares() -> None:
    text = (release.ROOT / "Makefile").read_text("utf-8")
    declared = {word for line in text.splitlines() if line.startswith(".PHONY:") for word in line.split()}
    found = release.benchmarks(release.ROOT / "Makefile")
    assert set(found) == {word for word in declared if word.startswith("bench-")} - set(release.LEFT_OUT)
    assert {"bench-queue", "bench-pages", "bench-search"} <= set(found)
