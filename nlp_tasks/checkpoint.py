"""A training's state on disk, from which a later call goes on when the one before was killed.

One safetensors file for each part of a training, replaced as a whole: there is the old one or the new one, never
half of either. Knows nothing of models; what is saved is arrays and JSON.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The folder for checkpoints in the folder of the model that is being built. Whoever ran the training before left
#: it there; it has to be gone when the model is sealed.
FOLDER = "checkpoint"
#: Saving may take this share of the time.
SHARE = 0.1


@dataclass(frozen=True)
class Saved:
    """What was saved last."""

    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


@dataclass
class Checkpoint:
    """Where a part of a training keeps its state. The fingerprint says of which training it is: with other
    documents or parameters it is as if there were none."""

    folder: Path
    fingerprint: str
    name: str = "training"
    _next: float = field(default=0.0, repr=False)

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.safetensors"

    def part(self, name: str) -> Checkpoint:
        """The checkpoint of one part of this training."""
        return Checkpoint(self.folder, self.fingerprint, name)

    def load(self) -> Saved | None:
        """What was saved last; None if nothing was, or by another training."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="np") as file:
                told = file.metadata() or {}
                if told.get("fingerprint") != self.fingerprint:
                    return None
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        except (FileNotFoundError, SafetensorError):
            return None
        return Saved(json.loads(told["facts"]), arrays)

    def is_due(self) -> bool:
        """Whether saving now would leave most of the time to the training itself."""
        return time.monotonic() >= self._next

    def save(self, facts: dict[str, Any], arrays: dict[str, NDArray[np.generic]]) -> None:
        """Put this in the place of what was saved before, on the disk."""
        from safetensors.numpy import save_file

        started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        save_file(arrays, str(fresh), {"fingerprint": self.fingerprint, "facts": json.dumps(facts)})
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.replace(self.path)
        now = time.monotonic()
        self._next = now + (now - started) * (1 / SHARE - 1)
