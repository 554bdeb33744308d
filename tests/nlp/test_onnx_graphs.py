"""What is kept of graphs on a machine, and when a graph is the same as its network."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from nlp_tasks import model_files
from nlp_tasks.errors import ModelFileError
from nlp_tasks.kind import Setup
from nlp_tasks.onnx_graphs import checking, exporting, kept, session, using, writing
from nlp_tasks.onnx_graphs.slot import Network, Slot


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    model_files.save(tmp_path / "model", {}, {"x": np.zeros(2)})
    return tmp_path / "model"


class Making:
    """Writes a graph, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        (folder / "a.onnx").write_bytes(b"graph")


def test_graphs_are_made_once_and_again_if_they_are_damaged_or_of_another_model(
    tmp_path: Path, model_dir: Path
) -> None:
    make = Making()
    folder = kept.folder(tmp_path / "graphs", model_dir, make)
    assert kept.folder(tmp_path / "graphs", model_dir, make) == folder
    assert make.times == 1

    (folder / "a.onnx").write_bytes(b"grapx")
    assert kept.folder(tmp_path / "graphs", model_dir, make) == folder
    assert (folder / "a.onnx").read_bytes() == b"graph"
    assert make.times == 2

    model_files.save(tmp_path / "other", {}, {"x": np.ones(2)})
    assert kept.folder(tmp_path / "graphs", tmp_path / "other", make) != folder
    assert make.times == 3


def test_a_failed_or_killed_making_leaves_nothing_that_counts(tmp_path: Path, model_dir: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "a.onnx").write_bytes(b"half")
        raise ModelFileError("no")

    with pytest.raises(ModelFileError, match="no"):
        kept.folder(tmp_path / "graphs", model_dir, fails)
    assert [path.name for path in (tmp_path / "graphs").iterdir()] == [".lock"]
    make = Making()
    kept.folder(tmp_path / "graphs", model_dir, make)
    assert make.times == 1


def test_of_several_workers_one_makes_the_graphs_and_the_others_wait(tmp_path: Path, model_dir: Path) -> None:
    make, began, go_on = Making(), threading.Event(), threading.Event()

    def slowly(folder: Path) -> None:
        began.set()
        assert go_on.wait(30)
        make(folder)

    found: list[Path] = []

    def ask() -> None:
        found.append(kept.folder(tmp_path / "graphs", model_dir, slowly))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert began.wait(30)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert make.times == 1
    assert len(set(found)) == 1


def test_graphs_that_nobody_opened_for_a_month_are_removed(tmp_path: Path, model_dir: Path) -> None:
    make = Making()
    old = kept.folder(tmp_path / "graphs", model_dir, make)
    long_ago = time.time() - kept.KEPT_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    model_files.save(tmp_path / "other", {}, {"x": np.ones(2)})
    kept.folder(tmp_path / "graphs", tmp_path / "other", make)
    assert not old.exists()


def test_numbers_and_labels_are_compared() -> None:
    scores = np.array([[1.0, 2.0], [3.0, 1.0], [1.0, 1.00001]], np.float32)
    same = checking.compared(scores, scores + np.float32(5e-5), checking.best)
    assert same.is_equal
    # Which of two equal scores is the largest is rounding.
    swapped = scores.copy()
    swapped[2] = scores[2][::-1]
    assert checking.compared(scores, swapped, checking.best).is_equal

    other = scores.copy()
    other[0] = [2.5, 2.0]
    found = checking.compared(scores, other, checking.best)
    assert not found.is_equal
    assert found.largest_difference == 1.5
    assert found.changed_labels == pytest.approx(1 / 3)
    assert found.lowest_cosine is None
    vectors = checking.compared(scores, -scores, None)
    assert vectors.lowest_cosine == pytest.approx(-1)
    assert checking.compared(scores[:0], scores[:0], checking.best).is_equal


class Doubling:
    """A model with a network that no graph can have, since its answers differ each time."""

    decides = True

    def slots(self) -> list[Slot]:
        return [Slot("a", None, print)]  # type: ignore[arg-type]


def test_a_missing_package_is_named_with_what_to_install(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    setup = Setup(None, "cpu", model_dir, graphs=tmp_path / "graphs")
    with pytest.raises(ModelFileError, match=r"onnxruntime: pip install 'docmill\[onnx\]'"):
        using.use(Doubling(), setup)
    using.use(Doubling(), Setup(None, "cpu", model_dir))
    using.use(object(), setup)


def test_a_graph_without_memory_for_a_batch_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        def get_inputs(self) -> list[object]:
            return []

        def run(self, *_: object) -> None:
            raise Exception("BFCArena: Failed to allocate memory for requested buffer")

    monkeypatch.setattr(session, "_opened", lambda _: Session())
    with pytest.raises(MemoryError, match="not enough memory for a batch"):
        session.Graph(tmp_path).of({})


class Opened:
    """A graph that is asked for nothing."""

    of = None


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_that_exists_is_written_into_without_the_one_above_it(
    exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def write(_: object, path: Path) -> None:
        written.append(path.parent)
        path.write_bytes(b"graph")

    monkeypatch.setattr(exporting, "need_packages", lambda **_: None)
    monkeypatch.setattr(exporting, "write", write)
    monkeypatch.setattr(exporting, "Graph", lambda _: Opened())
    target = tmp_path / "out"
    if exists:
        target.mkdir()

    def answers(texts: Sequence[str], *_: object) -> np.ndarray:
        return np.zeros((len(texts), 2), np.float32)

    what = exporting.Export(None, {}, lambda _: None, answers, answers)  # type: ignore[arg-type]
    exporting.export(what, "a", target, int8=False)

    assert written[0].parent == (target if exists else tmp_path)
    assert {path.name for path in target.iterdir()} == {"model.onnx", "docmill.json"}


@pytest.mark.long
def test_a_graph_whose_sizes_are_those_of_the_example_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")

    class Fixed(torch.nn.Module):
        def forward(self, numbers: torch.Tensor) -> torch.Tensor:
            return numbers + torch.full((len(numbers), 1), 2.0)

    axes = {"numbers": {0: torch.export.Dim("rows"), 1: torch.export.Dim("places")}}
    network = Network(Fixed(), {"numbers": torch.zeros(2, 3)}, axes, "sums")
    with pytest.raises(
        ModelFileError, match=r"inputs of any size: axis 0 of numbers is 2; use the model in torch"
    ):
        writing.write(network, tmp_path / "a.onnx")


@pytest.mark.long
@pytest.mark.parametrize("cell", [torch.nn.LSTM, torch.nn.GRU])
def test_a_recurrent_layer_ends_each_sequence_where_torch_does(cell: type, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from nlp_tasks.onnx_graphs.session import Graph
    from nlp_tasks.recurrent_layer import states

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = cell(6, 5, bidirectional=True, batch_first=True)

        def forward(self, padded: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            return states(self.layer, padded, lengths)

    torch.manual_seed(1)
    layer = Layer()
    inputs = {"padded": torch.zeros(2, 4, 6), "lengths": torch.tensor([4, 2])}
    rows, places = torch.export.Dim("rows"), torch.export.Dim("places")
    axes = {"padded": {0: rows, 1: places}, "lengths": {0: rows}}
    writing.write(Network(layer, inputs, axes, "states"), tmp_path / "a.onnx")
    graph = Graph(tmp_path / "a.onnx")
    for n, size in ((1, 1), (3, 9), (8, 40)):
        padded = torch.randn(n, size, 6)
        lengths = torch.randint(1, size + 1, (n,))
        lengths[0] = size
        with torch.inference_mode():
            torch.testing.assert_close(
                graph(padded, lengths), states(layer.layer, padded, lengths), atol=1e-5, rtol=0
            )


def test_a_crf_is_refused_with_the_reason(tmp_path: Path) -> None:
    from nlp_tasks.entities import onnx_export

    model_files.save(tmp_path / "model", {"arch": "crf"}, {"x": np.zeros(1)})
    with pytest.raises(ModelFileError, match=r"arch crf cannot be written as ONNX: .*python-crfsuite"):
        onnx_export.export(tmp_path / "model", tmp_path / "out", int8=False, documents=None)
