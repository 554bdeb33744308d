"""A graph that ONNX Runtime computes on the CPU, in the place of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nlp_tasks.errors import ModelFileError

#: What ONNX Runtime says if memory was refused.
OUT_OF_MEMORY = ("Failed to allocate memory", "bad_alloc", "bad allocation")


class Graph(nn.Module):
    """Takes and gives the tensors of the network that the graph was written from. It has as many threads as torch has
    when it is opened, and no gradients."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._session = _opened(path)
        self._names = [each.name for each in self._session.get_inputs()]

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.from_numpy(
            self.of(dict(zip(self._names, (each.numpy() for each in inputs), strict=True)))
        )

    def of(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The output for inputs by their names."""
        try:
            found: NDArray[np.float32] = self._session.run(None, inputs)[0]
        except Exception as error:  # its own exceptions have no common class
            if any(words in str(error) for words in OUT_OF_MEMORY):
                raise MemoryError("ONNX Runtime has not enough memory for a batch") from error
            raise
        return found


def _opened(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that wait by spinning would take time from other workers, and count as work for the lease.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Batches have all shapes: plans of memory for each of them would only pile up.
    options.enable_mem_pattern = False
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions have no common class
        raise ModelFileError(f"ONNX Runtime cannot open {path}: {error}") from error
