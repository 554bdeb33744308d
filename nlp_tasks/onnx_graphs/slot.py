"""What a model says about the networks in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True)
class Network:
    """A network that takes tensors by position and gives one."""

    module: nn.Module
    #: Tensors to trace it with, by their names in the graph, in the order that `module` takes them in.
    inputs: Mapping[str, Tensor]
    #: The axes of each whose length varies, with their torch.export.Dim.
    axes: Mapping[str, Mapping[int, Any]]
    #: The name of the graph's output.
    output: str


@dataclass(frozen=True)
class Slot:
    """A network in a loaded model, in whose place another module can be put."""

    #: For a file name.
    name: str
    network: Network
    #: Another module that takes and gives the same tensors computes from now on.
    put: Callable[[nn.Module], None]


class Model(Protocol):
    """A loaded model with networks."""

    #: Whether the largest of the numbers in the last axis decides, as for scores of labels.
    decides: bool

    def slots(self) -> Sequence[Slot]:
        """Its networks; none if torch computes nothing of it by a network."""
        ...

    def outputs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """What its networks make of texts (M, K): scores or vectors, before anything is decided."""
        ...
