"""The state of a training on disk, from which a later run resumes if this one is killed.

Each part of a training has one safetensors file, which is replaced atomically. Knows nothing of models: it saves
arrays and JSON.
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

#: The folder of checkpoints, inside the folder of the model that is being built. An interrupted run leaves it there;
#: it must be removed before the model is sealed.
FOLDER = "checkpoint"
#: Saving takes at most about this share of the time.
SHARE = 0.1


@dataclass(frozen=True)
class Saved:
    """The last saved state."""

    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


@dataclass
class Checkpoint:
    """Where one part of a training saves its state. The fingerprint identifies the training: state that was saved
    with other documents or parameters is ignored."""

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
        """The last saved state; None if there is none, or if it belongs to another training."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="np") as file:
                told = file.metadata() or {}
                if told.get("fingerprint") != self.fingerprint:
                    return None
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        except (FileNotFoundError, SafetensorError):
            return None
        return Saved(json.loads(told["facts"]), arrays)

    def is_due(self) -> bool:
        """Whether enough time has passed since the last save."""
        return time.monotonic() >= self._next

    def save(self, facts: dict[str, Any], arrays: dict[str, NDArray[np.generic]]) -> None:
        """Replace the saved state, and sync it to disk."""
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
