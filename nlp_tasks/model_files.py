"""A model on disk: config.json, weights.safetensors, any other JSON, and a manifest of their sha256.

Never pickle. Files are checked against the manifest before a byte of them is parsed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp_tasks import heartbeat
from nlp_tasks.errors import ModelFileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MANIFEST = "manifest.json"
CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
#: Bytes hashed between two heartbeats.
PIECE = 1 << 20
#: A file that was changed so recently may change again without another time stamp: its digest is not kept.
FRESH_SECONDS = 2.0
#: Digests that are kept.
_MOST_KEPT = 1_000
#: By path, and what changes with each change of a file.
_kept: dict[tuple[Path, int, int, int, int], str] = {}


def sha256_of(path: Path) -> str:
    """Hex digest of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            heartbeat.beat()
            digest.update(piece)
    return digest.hexdigest()


def kept_sha256_of(path: Path) -> str:
    """`sha256_of`, which is kept in this process until the file changes. For files that are checked again and again,
    and that are in memory already: damage that leaves size and time stamps as they are is not noticed."""
    state = _state(path)
    if (digest := _kept.get(state)) is not None:
        return digest
    digest = sha256_of(path)
    if _state(path) == state and time.time() - state[-1] / 1e9 > FRESH_SECONDS:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[state] = digest
    return digest


def _state(path: Path) -> tuple[Path, int, int, int, int]:
    """The last of them is the time of its last change, which no program can set."""
    found = path.stat()
    return path.absolute(), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def save(model_dir: Path, config: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
    """Write config and tensors (numpy arrays) into `model_dir`, then seal it with a manifest."""
    from safetensors.numpy import save_file

    model_dir.mkdir(parents=True, exist_ok=True)
    (model_dir / CONFIG).write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
    save_file(tensors, str(model_dir / WEIGHTS))
    seal(model_dir)


def seal(model_dir: Path) -> str:
    """Write, or rewrite, the manifest of all files in the folder; returns the sha256 of the manifest itself."""
    files = sorted(p for p in model_dir.rglob("*") if p.is_file() and p.name != MANIFEST)
    digests = {str(p.relative_to(model_dir)): sha256_of(p) for p in files}
    (model_dir / MANIFEST).write_text(json.dumps(digests, indent=1, sort_keys=True), encoding="utf-8")
    return sha256_of(model_dir / MANIFEST)


def check(model_dir: Path, digest_of: Callable[[Path], str] = sha256_of) -> None:
    """Raise ModelFileError, which names the file, unless every file exists and is as it was saved."""
    for name, digest in _manifest(model_dir).items():
        path = model_dir / name
        if not path.is_file():
            raise ModelFileError(
                f"{path} is missing: restore the folder from a backup, or train the model again"
            )
        if digest_of(path) != digest:
            raise ModelFileError(
                f"{path} is damaged (its sha256 differs from the manifest): restore it or train the model again"
            )


def read_config(model_dir: Path) -> dict[str, Any]:
    """The config of a saved model, without its tensors, and without a check: call `check` first."""
    config: dict[str, Any] = json.loads((model_dir / CONFIG).read_text(encoding="utf-8"))
    return config


def load(model_dir: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
    """The checked config and tensors of a saved model."""
    from safetensors.numpy import load_file

    check(model_dir)
    return read_config(model_dir), load_file(str(model_dir / WEIGHTS))


def _manifest(model_dir: Path) -> dict[str, str]:
    path = model_dir / MANIFEST
    try:
        digests: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFileError(f"{path} is missing: is the models folder mounted on this machine?") from None
    except ValueError as error:
        raise ModelFileError(f"{path} is damaged: {error}") from error
    return digests
