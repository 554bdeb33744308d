"""Where a training builds: a claim takes over what the one before left, and touches no later claim's folder."""

from __future__ import annotations

from pathlib import Path

from db.chunks import Claim
from nlp_tasks import checkpoint
from workers.training import training_run


def _claim(fence: int) -> Claim:
    return Claim(1, fence, "i", 7, "train", {}, 1, "m", None, 0, [1], careful=False)


def test_a_claim_goes_on_from_the_checkpoint_of_the_one_before(tmp_path: Path) -> None:
    left = tmp_path / "job-7-1" / checkpoint.FOLDER
    left.mkdir(parents=True)
    (left / "state").write_text("epoch 3")
    building = training_run._building_folder(tmp_path, _claim(2))
    assert (building / checkpoint.FOLDER / "state").read_text() == "epoch 3"
    assert [path.name for path in tmp_path.iterdir()] == ["job-7-2"]


def test_a_worker_that_was_taken_for_dead_leaves_the_later_claims_folder_alone(tmp_path: Path) -> None:
    later = training_run._building_folder(tmp_path, _claim(4))
    (later / "model").write_text("being built")
    training_run._building_folder(tmp_path, _claim(3))
    assert (later / "model").read_text() == "being built"
