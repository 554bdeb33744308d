"""A training whose worker is killed goes on from its last checkpoint, and ends as if nothing had happened."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from db.documents import NewDocument
from nlp_tasks import model_files
from nlp_tasks.checkpoint import FOLDER
from nlp_tasks.classification import TRAIN_CLASSIFY, TrainParameters
from nlp_tasks.kind import Document
from tests.db.builders import add
from tests.faults.stack import Stack
from tests.servers import missing_redis, until

EPOCHS = 5
PARAMETERS = {"arch": "cnn", "epochs": EPOCHS, "seed": 3}


def made() -> list[NewDocument]:
    """Documents long enough for an epoch to take a while."""
    random = np.random.default_rng(1)
    words = [f"word{n}" for n in range(500)]
    found = []
    for number in range(200):
        label, first = (("sport", 0), ("money", 250))[number % 2]
        text = " ".join(random.choice(words[first : first + 260], 200))
        found.append(NewDocument(f"k{number}", text, label, f"made:{number}"))
    return found


@pytest.fixture
def stack() -> Iterator[Stack]:
    if missing := missing_redis():
        pytest.skip(missing)
    # A lease that outlasts the import of torch on a busy machine; a killed worker is noticed without it.
    environment = {"OMP_NUM_THREADS": "1", "DOCMILL_LEASE_SECONDS": "60"}
    stack = Stack("sqlite", n_workers=1, environment=environment, kinds="train-classify")
    yield stack
    stack.stop()


def epochs_done(stack: Stack, fence: int) -> int:
    """Epochs in the checkpoint of a job's claim."""
    import json

    from safetensors import SafetensorError, safe_open

    [*files] = (stack.home / "models" / ".building" / f"job-1-{fence}" / FOLDER).glob("*.safetensors")
    try:
        with safe_open(files[0], framework="np") as file:
            return int(json.loads(file.metadata()["facts"])["epoch"])
    except (IndexError, FileNotFoundError, SafetensorError):
        return 0


def undisturbed(folder: Path) -> dict[str, float]:
    """The same training, in this process."""
    documents = [Document(n, new.key, new.text, new.label) for n, new in enumerate(made())]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        folder.mkdir()
        return TRAIN_CLASSIFY.train(documents, TrainParameters(**PARAMETERS), "cpu", folder, lambda *_: None)  # type: ignore[arg-type, misc]
    finally:
        torch.set_num_threads(threads)


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_training_whose_worker_is_killed_twice_ends_with_the_same_model(
    stack: Stack, tmp_path: Path
) -> None:
    stack.start()
    add(stack.store, made(), "made")
    chosen = [word for name, value in PARAMETERS.items() for word in ("-p", f"{name}={value}")]
    assert stack.run("train", "classify", "--collection", "made", *chosen).returncode == 0

    for kill in (1, 2):
        until(lambda kill=kill: epochs_done(stack, kill) >= kill, f"epoch {kill} done by claim {kill}", 120)
        stack.busy_child().send_signal(signal.SIGKILL)

    until(lambda: stack.state(1) == "finished", "the end of the training", 240)
    assert stack.n_crashes(1) == 2
    expected = undisturbed(tmp_path / "model")
    metrics = dict(map(tuple, stack.rows("SELECT metric, value FROM v_model_metrics")))
    for name in ("accuracy", "macro_f1", "calibration_error", "temperature"):
        assert metrics[name] == pytest.approx(expected[name], abs=1e-6), name
    _, whole = model_files.load(tmp_path / "model")
    [(path,)] = stack.rows("SELECT path FROM model_version")
    _, resumed = model_files.load(stack.home / "models" / path)
    assert all(np.allclose(whole[name], resumed[name], atol=1e-6) for name in whole)
