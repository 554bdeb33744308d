"""Models compute in 16 bits where the device can and the setting allows; results agree within a stated tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from docmill.verification.comparison import ROUNDED
from nlp_tasks import precision, torch_device
from nlp_tasks.classification import CLASSIFY, TRAIN_CLASSIFY, ClassifyParameters, TrainParameters
from nlp_tasks.kind import Document, Setup

torch.set_num_threads(1)
WORDS = {"sport": ["goal", "striker", "골을"], "money": ["bank", "interest", "은행이"]}
FILLER = ["the", "a", "today", "오늘", "그리고", "was"]
DEVICES = [
    "cpu",
    pytest.param("cuda:0", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
]


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    precision.choose("auto")


def written(label: str, random: np.random.Generator) -> str:
    words = [*random.choice(WORDS[label], 2), *random.choice(FILLER, int(random.integers(2, 30)))]
    return " ".join(random.permutation(words))


def texts(n: int) -> list[Document]:
    random = np.random.default_rng(7)
    labels = ["sport", "money"] * (n // 2)
    return [Document(i, f"k{i}", written(label, random), label) for i, label in enumerate(labels)]


@pytest.fixture(scope="module", params=["cnn", "transformer"])
def model_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "m"
    folder.mkdir()
    assert TRAIN_CLASSIFY.train is not None
    parameters = TrainParameters(arch=request.param, epochs=1, seed=3)
    TRAIN_CLASSIFY.train(texts(60), parameters, "cpu", folder, lambda *_: None)
    return folder


def scores(model_dir: Path, name: str, device: str) -> dict[str, float]:
    """Each document's score for its best label, and the label with it."""
    precision.choose(name)
    runner = CLASSIFY.stages[0].open(Setup(ClassifyParameters(), device, model_dir))
    rows = runner.run(texts(60))
    return {f"{i} {row[0].label}": row[0].score for i, row in enumerate(rows)}  # type: ignore[index, union-attr]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["auto", "bfloat16", "float16"])
def test_results_agree_within_the_tolerance(model_dir: Path, name: str, device: str) -> None:
    exact = scores(model_dir, "float32", "cpu")
    found = scores(model_dir, name, device)
    same = exact.keys() & found.keys()
    assert len(same) >= 0.98 * len(exact), "labels differ only where two are as probable"
    assert max(abs(exact[key] - found[key]) for key in same) <= ROUNDED


@pytest.mark.parametrize("device", DEVICES)
def test_float32_computes_in_float32(model_dir: Path, device: str) -> None:
    exact, again = scores(model_dir, "float32", "cpu"), scores(model_dir, "float32", device)
    assert exact.keys() == again.keys()
    assert max(abs(exact[key] - again[key]) for key in exact) < 1e-4


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["auto", "float32"])
def test_the_same_batches_give_the_same_results(model_dir: Path, name: str, device: str) -> None:
    assert scores(model_dir, name, device) == scores(model_dir, name, device)


@pytest.mark.parametrize(
    ("has_bfloat16", "capability", "inference", "weights"),
    [
        (True, (9, 0), torch.bfloat16, torch.bfloat16),
        (False, (7, 5), torch.float16, torch.float32),
        (False, (6, 1), torch.float32, torch.float32),
    ],
)
def test_the_device_decides(
    monkeypatch: pytest.MonkeyPatch,
    has_bfloat16: bool,
    capability: tuple[int, int],
    inference: torch.dtype,
    weights: torch.dtype,
) -> None:
    """As an H100, a T4 and a GTX 1080 say of themselves."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bfloat16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert torch_device.number_type("cuda:0") == inference
    assert torch_device.weights_type("cuda:0") == weights
    assert torch_device.number_type("cpu") == torch.float32
    precision.choose("float32")
    assert torch_device.number_type("cuda:0") == torch_device.weights_type("cuda:0") == torch.float32


def test_training_never_uses_float16() -> None:
    precision.choose("float16")
    left = torch.ones(2, 2, requires_grad=True)
    with torch_device.mixed_precision("cpu"):
        assert (left @ left).dtype == torch.float32
    with torch.no_grad(), torch_device.mixed_precision("cpu"):
        assert (left @ left).dtype == torch.float16


def test_numbers_that_float16_cannot_hold_are_computed_again() -> None:
    precision.choose("float16")
    large = torch.full((2, 2), 3e4)
    with torch.inference_mode():
        found = torch_device.computed("cpu", lambda: large @ large)
    assert bool(torch.isfinite(found).all())


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="choose one of auto, float32"):
        precision.choose("float8")


def test_who_may_have_rounded() -> None:
    assert precision.may_round("auto", "cpu", "cuda-0@host")
    assert not precision.may_round("auto", "cpu", "cpu-0@host")
    assert not precision.may_round("float32", "cuda:0")
    assert precision.may_round("bfloat16", "cpu")
