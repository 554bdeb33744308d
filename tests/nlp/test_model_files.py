"""Digests of model files: kept until a file changes, and never for a file that may still change unseen."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nlp_tasks import heartbeat, model_files
from nlp_tasks.errors import ModelFileError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model_files.save(tmp_path / "model", {"labels": ["a"]}, {"weights": np.zeros(4, dtype=np.float32)})
    return tmp_path / "model"


def n_read(folder: Path) -> int:
    """How often a piece of a file is read when the folder is checked."""
    beats: list[None] = []
    with heartbeat.heard_by(lambda: beats.append(None)):
        model_files.check(folder, model_files.kept_sha256_of)
    return len(beats)


def test_files_that_have_not_changed_are_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "FRESH_SECONDS", -1.0)
    assert [n_read(folder) for _ in range(3)] == [2, 0, 0]


def test_files_that_have_just_changed_are_read_again(folder: Path) -> None:
    assert [n_read(folder) for _ in range(3)] == [2, 2, 2]


@pytest.mark.parametrize("how", ["another size", "the same size", "the same size and time", "another file"])
def test_a_file_that_changes_is_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(model_files, "FRESH_SECONDS", -1.0)
    n_read(folder)
    config = folder / model_files.CONFIG
    before, content = config.stat(), config.read_bytes()
    other = content + b" " if how == "another size" else content.replace(b"a", b"b")
    if how == "another file":
        (folder / "new").write_bytes(other)
        (folder / "new").replace(config)
    else:
        config.write_bytes(other)
    if how != "the same size":
        os.utime(config, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ModelFileError, match="is damaged"):
        n_read(folder)


def test_a_file_that_is_gone_is_missed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "FRESH_SECONDS", -1.0)
    n_read(folder)
    (folder / model_files.WEIGHTS).unlink()
    with pytest.raises(ModelFileError, match="is missing"):
        n_read(folder)
