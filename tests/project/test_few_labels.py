"""The file of figures of make bench-few-labels."""

from __future__ import annotations

from pathlib import Path

from benchmarks.few_labels import Case, _keep, _kept


def test_figures_go_on_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "figures.jsonl"
    first, second, third = (Case("set", 5, "linear", seed) for seed in range(3))
    _keep(path, first, {"accuracy": 0.5})
    _keep(path, second, {"accuracy": 0.6})
    path.write_bytes(path.read_bytes()[:-20])

    assert _kept(path) == {first: {"accuracy": 0.5}}
    _keep(path, third, {"accuracy": 0.7})

    assert _kept(path) == {first: {"accuracy": 0.5}, third: {"accuracy": 0.7}}
