"""ONNX Runtime computes the networks of a loaded model. Imports neither torch nor ONNX Runtime before."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_tasks.errors import ModelFileError
from nlp_tasks.kind import Setup

if TYPE_CHECKING:
    from nlp_tasks.onnx_graphs.slot import Model, Slot


def use(model: Any, setup: Setup) -> None:
    """Put graphs in the place of the model's networks, if the set-up asks for it and the model has networks. They are
    made on first use, and checked against torch then. ModelFileError if that cannot be done."""
    if setup.graphs is None or not (slots := _slots(model)):
        return
    from nlp_tasks.onnx_graphs import kept
    from nlp_tasks.onnx_graphs.session import Graph
    from nlp_tasks.onnx_graphs.writing import need_packages

    assert setup.model_dir is not None
    need_packages(to_write=False)
    make = partial(_make, model, slots, setup.model_dir)
    folder = kept.folder(setup.graphs, setup.model_dir, make)
    for slot in slots:
        slot.put(Graph(folder / _file(slot)))


def is_wanted(model: Any, setup: Setup) -> bool:
    """Whether `use` puts graphs in the place of networks."""
    return setup.graphs is not None and bool(_slots(model))


def _slots(model: Any) -> Sequence[Slot]:
    """A model without networks (counts, tables, a CRF) has no method for them."""
    found: Sequence[Slot] = model.slots() if hasattr(model, "slots") else ()
    return found


def _make(model: Model, slots: Sequence[Slot], model_dir: Path, folder: Path) -> None:
    """Write the graphs, and compare what the model makes of texts with and without them."""
    from nlp_tasks.onnx_graphs import checking
    from nlp_tasks.onnx_graphs.session import Graph
    from nlp_tasks.onnx_graphs.writing import need_packages, write

    need_packages(to_write=True)
    for slot in slots:
        write(slot.network, folder / _file(slot))
    # Only now: a model that computes may change its layers for that.
    expected = checking.batches(model.outputs)
    for slot in slots:
        slot.put(Graph(folder / _file(slot)))
    check = checking.compared(
        expected, checking.batches(model.outputs), checking.best if model.decides else None
    )
    if not check.is_equal:
        raise ModelFileError(
            f"{model_dir} cannot be run by ONNX Runtime: its numbers differ from torch's by up to "
            f"{check.largest_difference:.1e}, and {checking.MOST_DIFFERENCE:.0e} is allowed; set DOCMILL_RUNTIME=torch"
        )


def _file(slot: Slot) -> str:
    return f"{slot.name}.onnx"
