"""The state of a neural training between two epochs, saved to a checkpoint and restored from it.

A training that resumes draws the same random numbers, takes the same steps and ends with the same model as one that was
never interrupted (on the same machine).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlp_tasks.checkpoint import Checkpoint

#: The fields of a Course that are saved as JSON.
FACTS = ("epoch", "steps", "best", "best_epoch", "note")


@dataclass
class Course:
    """A training between two epochs."""

    model: nn.Module
    optimizers: Sequence[torch.optim.Optimizer]
    random: np.random.Generator
    device: str
    checkpoint: Checkpoint | None
    #: Completed epochs and steps.
    epoch: int = 0
    steps: int = 0
    #: The lowest validation loss so far, with its epoch and weights.
    best: float = float("inf")
    best_epoch: int = 0
    best_state: dict[str, Tensor] = field(default_factory=dict)
    note: str = ""

    def judge(self, validation_loss: float) -> bool:
        """Whether the epoch that has just ended is the best so far. If it is, its weights are kept."""
        if not validation_loss < self.best:  # a loss that is not a number is not better, either
            return False
        self.best, self.best_epoch = validation_loss, self.epoch
        self.best_state = copy.deepcopy(self.model.state_dict())
        return True

    def save(self) -> None:
        """Save to the checkpoint, unless the last save was a short time ago."""
        if self.checkpoint is None or not self.checkpoint.is_due():
            return
        facts: dict[str, Any] = {name: getattr(self, name) for name in FACTS}
        facts["random"] = self.random.bit_generator.state
        arrays = {"torch": torch.get_rng_state().numpy()}
        if self.device.startswith("cuda"):
            arrays["cuda"] = torch.cuda.get_rng_state(self.device).numpy()
        arrays |= _arrays("model", self.model.state_dict()) | _arrays("best", self.best_state)
        for place, optimizer in enumerate(self.optimizers):
            for number, state in optimizer.state_dict()["state"].items():
                for name, value in state.items():
                    arrays[f"optimizer.{place}.{number}.{name}"] = _array(value)
        self.checkpoint.save(facts, arrays)

    def restore(self) -> None:
        """Resume from the checkpoint, if there is one."""
        saved = None if self.checkpoint is None else self.checkpoint.load()
        if saved is None:
            return
        for name in FACTS:
            setattr(self, name, saved.facts[name])
        self.random.bit_generator.state = saved.facts["random"]
        self.model.load_state_dict(self._tensors(saved.arrays, "model"))
        self.best_state = self._tensors(saved.arrays, "best")
        for place, optimizer in enumerate(self.optimizers):
            optimizer.load_state_dict(optimizer.state_dict() | {"state": _state(saved.arrays, place)})
        torch.set_rng_state(torch.from_numpy(saved.arrays["torch"]))
        if "cuda" in saved.arrays and self.device.startswith("cuda"):
            torch.cuda.set_rng_state(torch.from_numpy(saved.arrays["cuda"]), self.device)

    def _tensors(self, arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, Tensor]:
        start = f"{prefix}."
        return {
            name.removeprefix(start): torch.from_numpy(array).to(self.device)
            for name, array in arrays.items()
            if name.startswith(start)
        }


def _arrays(prefix: str, tensors: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
    return {f"{prefix}.{name}": _array(tensor) for name, tensor in tensors.items()}


def _array(value: Any) -> NDArray[Any]:
    """A tensor or a number as a contiguous array, as safetensors requires."""
    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    return np.ascontiguousarray(array).reshape(array.shape)


def _state(arrays: dict[str, NDArray[Any]], place: int) -> dict[int, dict[str, Any]]:
    """The state of an optimizer by the index of the parameter. SparseAdam counts its steps in a Python int."""
    found: dict[int, dict[str, Any]] = {}
    for name, array in arrays.items():
        kind, *rest = name.split(".")
        if kind == "optimizer" and rest[0] == str(place):
            value = int(array) if array.dtype.kind == "i" and array.ndim == 0 else torch.from_numpy(array)
            found.setdefault(int(rest[1]), {})[rest[2]] = value
    return found
