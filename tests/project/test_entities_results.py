"""The benchmark of entities goes on where it was cut off."""

from __future__ import annotations

from pathlib import Path

from benchmarks.entities_results import Done, append, read, version
from nlp_tasks.entities.spans import Entity


def test_results_are_read_again_but_for_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    written = [
        Done("set", "model", fold, [[Entity(0, 2, "PS")], []], [[], [Entity(1, 3, "LC")]], 1.5, version="a")
        for fold in range(2)
    ]
    for each in written:
        append(path, each)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"name": "set", "found": [[{"label": "PS"}')

    assert read(path) == written
    assert read(tmp_path / "none.jsonl") == read(None) == []


def test_a_result_after_a_line_that_was_cut_off_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    first, second = (Done("set", "model", fold, [], [], 1.0) for fold in range(2))
    append(path, first)
    path.write_text(path.read_text(encoding="utf-8") + '{"name": "se', encoding="utf-8")

    append(path, second)

    assert read(path) == [first, second]


def test_a_version_is_of_the_options_and_of_the_code() -> None:
    assert version([1], is_ours=True) == version([1], is_ours=True)
    assert len({version([1], is_ours=True), version([2], is_ours=True), version([1], is_ours=False)}) == 3
