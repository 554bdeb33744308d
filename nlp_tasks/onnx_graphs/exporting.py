"""A model for programs without docmill and torch: a folder with a graph, what turns texts into its inputs, and what a
program must know. Nothing is written unless ONNX Runtime gives what torch gives."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nlp_tasks import heartbeat
from nlp_tasks.errors import ModelFileError
from nlp_tasks.onnx_graphs import checking
from nlp_tasks.onnx_graphs.checking import Check
from nlp_tasks.onnx_graphs.session import Graph
from nlp_tasks.onnx_graphs.slot import Network
from nlp_tasks.onnx_graphs.writing import need_packages, quantize, write

GRAPH, GRAPH_INT8, TOKENIZER, ABOUT = "model.onnx", "model.int8.onnx", "tokenizer.json", "docmill.json"
#: Documents that the loss of 8 bits is measured on, at most, and those that go through the graph together.
MOST_DOCUMENTS, TOGETHER = 1_000, 8

#: The output of a graph for its inputs by their names.
Compute: TypeAlias = Callable[[dict[str, NDArray[Any]]], NDArray[np.float32]]


@dataclass(frozen=True)
class Export:
    """What of a model is exported."""

    network: Network
    #: What a program needs to know, storable as JSON.
    about: Mapping[str, Any]
    #: Writes the files that turn texts into inputs into a folder.
    write_files: Callable[[Path], None]
    #: What a program makes of texts by the graph (M, K): vectors, or scores of labels.
    answers: Callable[[Sequence[str], Compute], NDArray[np.float32]]
    #: The same by the model in torch.
    expected: Callable[[Sequence[str]], NDArray[np.float32]]
    #: What scores decide, to be compared; None for vectors.
    decided: Callable[[NDArray[np.float32]], NDArray[Any]] | None = None
    #: Operators that keep weights of 32 bits.
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exported:
    """What was written."""

    folder: Path
    float32: Check
    #: None unless asked for.
    int8: Check | None
    #: Documents that the loss of 8 bits was measured on; 0 for sample texts.
    n_documents: int = 0

    def lines(self) -> list[str]:
        """Each file with how far it is from torch, for people."""
        found = [f"{self.folder / GRAPH}: {_words(self.float32)}"]
        if self.int8 is not None:
            on = f"{self.n_documents:,} documents" if self.n_documents else "sample texts"
            found.append(f"{self.folder / GRAPH_INT8}: on {on}, {_words(self.int8)}")
        return found


def export(what: Export, name: str, target: Path, *, int8: bool, texts: Sequence[str] = ()) -> Exported:
    """Write the folder. With `int8`, a graph whose weights have 8 bits is written too, and what that costs is measured
    on `texts`, or on sample texts if there are none. ModelFileError, with the name of the model, if the graph differs
    from torch; then `target` is as it was."""
    need_packages(to_write=True)
    # In the folder that was named, if it is there: it may be on another disk than what it is in.
    beside = target if target.is_dir() else target.parent
    with tempfile.TemporaryDirectory(dir=beside, prefix=".onnx-") as made:
        folder = Path(made)
        write(what.network, folder / GRAPH)
        exact = _sampled(what, Graph(folder / GRAPH))
        if not exact.is_equal:
            raise ModelFileError(
                f"{name} was not exported: ONNX Runtime's {_numbers(what)} differ from torch's by up to "
                f"{exact.largest_difference:.1e}, and {checking.MOST_DIFFERENCE:.0e} is allowed"
                f"{'; labels differ' if exact.changed_labels else ''}; use the model in torch"
            )
        rounded = None
        if int8:
            quantize(folder / GRAPH, folder / GRAPH_INT8, what.left_out)
            graph = Graph(folder / GRAPH_INT8)
            rounded = _lost(what, graph, texts[:MOST_DOCUMENTS]) if texts else _sampled(what, graph)
        what.write_files(folder)
        _write_about(what, folder, exact, rounded, min(len(texts), MOST_DOCUMENTS))
        _move(folder, target)
    return Exported(target, exact, rounded, min(len(texts), MOST_DOCUMENTS))


def _sampled(what: Export, graph: Graph) -> Check:
    """On the sample, all texts together and each alone."""
    expected = checking.batches(what.expected)
    found = checking.batches(lambda texts: what.answers(texts, graph.of))
    return checking.compared(expected, found, what.decided)


def _lost(what: Export, graph: Graph, texts: Sequence[str]) -> Check:
    """On documents, those of similar length together."""
    ordered = sorted(texts, key=len)
    expected, found = [], []
    for start in heartbeat.beating(range(0, len(ordered), TOGETHER)):
        some = ordered[start : start + TOGETHER]
        expected.append(what.expected(some))
        found.append(what.answers(some, graph.of))
    return checking.compared(np.concatenate(expected), np.concatenate(found), what.decided)


def _write_about(what: Export, folder: Path, exact: Check, rounded: Check | None, n_documents: int) -> None:
    lost = (
        None if rounded is None else _written(rounded) | ({"documents": n_documents} if n_documents else {})
    )
    about = {"format": 1, **what.about, "float32": _written(exact), "int8": lost}
    (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")


def _written(check: Check) -> dict[str, float]:
    return {name: value for name, value in asdict(check).items() if value is not None}


def _move(folder: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    (target / GRAPH_INT8).unlink(missing_ok=True)
    for path in folder.iterdir():
        path.replace(target / path.name)


def _numbers(what: Export) -> str:
    return "vectors" if what.decided is None else "scores"


def _words(check: Check) -> str:
    far = f"largest difference from torch {check.largest_difference:.1e}"
    if check.changed_labels is None:
        return f"{far}, lowest cosine {check.lowest_cosine:.4f}"
    if not check.changed_labels:
        return f"{far}, the same labels"
    return f"{far}, {check.changed_labels:.2%} of the labels change"
