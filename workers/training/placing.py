"""Moves the finished folder of a model to its place among the models."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nlp_tasks import heartbeat, model_files


def move(models: Path, name: str, building: Path) -> str:
    """Seal a folder, unless it is, and move it to the models called `name`. Returns its place relative to the folder
    `models`. The rename makes it appear whole or not at all."""
    if not (building / model_files.MANIFEST).is_file():
        model_files.seal(building)
    safe = re.sub(r"[^\w.-]", "_", name).lstrip(".") or "model"
    path = f"{safe}/{building.name}"
    target = models / path
    target.parent.mkdir(parents=True, exist_ok=True)
    for file in building.rglob("*"):
        heartbeat.beat()
        if file.is_file():
            _sync(file)
    building.rename(target)
    _sync(target.parent)
    return path


def _sync(path: Path) -> None:
    """Onto the disk before the store refers to it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
