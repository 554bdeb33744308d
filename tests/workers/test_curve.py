"""The curve of a training: stored with the model, goes on after a kill, and can be read by TensorBoard."""

from __future__ import annotations

import errno
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from db import model_versions
from db.documents import NewDocument
from db.store import Store
from nlp_tasks.training_curve import CurvePoint, record
from tests.db.builders import add, finish, submit, the_chunk
from workers.processes.process import Process
from workers.running import chunk_run
from workers.settings import settings
from workers.training import tensorboard
from workers.training.curve import Curve


@pytest.fixture
def process(sqlite_store: Store, tmp_path: Path) -> Iterator[Process]:
    asked = settings().model_copy(update={"tensorboard_dir": str(tmp_path / "events")})
    with tempfile.TemporaryFile("w+") as crash_file:
        process = Process(asked, sqlite_store, crash_file)
        yield process
        process.watch_no_more()


def _trained(process: Process, kind: str, parameters: dict[str, Any], folder: Path) -> dict[str, list[float]]:
    """The curves of a model that is trained on some documents: series -> a value for each epoch."""
    texts = [
        ("good film 좋은 영화" if i % 2 else "bad plot 나쁜 줄거리") + f" word{i % 7}" for i in range(60)
    ]
    new = [NewDocument(f"k{i}", each, "good" if i % 2 else "bad", "here") for i, each in enumerate(texts)]
    job = submit(
        process.store,
        add(process.store, new),
        kind=kind,
        model_ref="모델",
        parameters=parameters,
        per_chunk=1_000,
    ).job_id
    said = chunk_run.run(process, the_chunk(process.store, job).id)
    assert finish(process.store, job), said
    with process.store.read() as session:
        [version] = model_versions.listing(session, "모델")
        rows = model_versions.figures(session, version["id"])["model_curve"]
    found: dict[str, list[float]] = {}
    for place, row in enumerate(rows):
        found.setdefault(row["series"], []).append(row["value"])
        assert row["epoch"] == len(found[row["series"]]), rows[place]
    assert not list((process.settings.models_path / ".building").glob("*.curve"))
    assert folder.exists() == bool(tensorboard.find_spec("tensorboard"))
    return found


def test_a_neural_training_stores_its_curve(process: Process, tmp_path: Path) -> None:
    curves = _trained(process, "train-classify", {"arch": "cnn", "epochs": 4}, tmp_path / "events")
    assert set(curves) == {"loss", "validation_loss", "validation_accuracy"}
    assert {len(values) for values in curves.values()} == {4}
    assert curves["loss"][-1] < curves["loss"][0]


@pytest.mark.parametrize("architecture", ["dm", "dbow"])
def test_doc2vec_stores_its_loss_on_a_sample(process: Process, tmp_path: Path, architecture: str) -> None:
    parameters = {"architecture": architecture, "epochs": 30, "vector_size": 16, "min_count": 1}
    curves = _trained(process, "train-similarity", parameters, tmp_path / "events")
    assert len(curves["loss"]) == 30
    assert curves["loss"][-1] < curves["loss"][0]


def test_tensorboard_reads_the_event_file(process: Process, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves = _trained(process, "train-classify", {"arch": "cnn", "epochs": 2}, tmp_path / "events")
    [folder] = (tmp_path / "events" / "모델").iterdir()
    events = EventAccumulator(str(folder))
    events.Reload()
    read = {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert read == {
        "training/loss": pytest.approx(curves["loss"]),
        "validation/loss": pytest.approx(curves["validation_loss"]),
        "validation/accuracy": pytest.approx(curves["validation_accuracy"]),
    }
    assert [event.step for event in events.Scalars("training/loss")] == [1, 2]


def test_event_files_without_tensorboard_are_an_error_that_says_what_to_install(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorboard, "find_spec", lambda _name: None)
    with pytest.raises(ValueError, match=r"pip install 'docmill\[tensorboard\]'"):
        tensorboard.check(process.settings)
    tensorboard.check(settings())


def test_a_curve_goes_on_where_a_killed_process_left_it(tmp_path: Path) -> None:
    file = tmp_path / "job-1.curve"
    killed = Curve(file, None)
    for epoch in (1, 2, 3):
        killed(CurvePoint("loss", epoch, 1 / epoch))
    with file.open("a") as left:
        left.write('{"series": "lo')
    resumed = Curve(file, None)
    # Its checkpoint was that of the first epoch.
    resumed(CurvePoint("loss", 2, 0.4))
    assert [tuple(row) for row in resumed.rows()["model_curve"].values] == [
        ("loss", 1, 1.0),
        ("loss", 2, 0.4),
    ]
    # Killed again: what it recorded after that line is there.
    resumed = Curve(file, None)
    assert [tuple(row) for row in resumed.rows()["model_curve"].values] == [
        ("loss", 1, 1.0),
        ("loss", 2, 0.4),
    ]
    resumed.close()
    assert not file.exists()
    assert Curve(file, None).rows() == {}


def test_without_a_listener_and_for_no_number_nothing_is_recorded(tmp_path: Path) -> None:
    from nlp_tasks import training_curve

    record(1, loss=1.0)
    curve = Curve(tmp_path / "curve", None)
    with training_curve.heard_by(curve):
        record(1, loss=float("nan"), validation_loss=2.0)
    assert [json.loads(line)["series"] for line in (tmp_path / "curve").read_text().splitlines()] == [
        "validation_loss"
    ]


def test_a_full_disk_of_the_event_file_costs_points_and_not_the_training(tmp_path: Path) -> None:
    class Full:
        def add_scalar(self, *_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    curve = Curve(tmp_path / "curve", tensorboard.Events(Full()))
    curve(CurvePoint("loss", 1, 1.0))
    curve(CurvePoint("loss", 2, 0.5))
    assert len(curve.rows()["model_curve"].values) == 2
    curve.close()
