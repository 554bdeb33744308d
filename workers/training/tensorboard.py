"""Event files for TensorBoard: a folder for each training job, where DOCMILL_TENSORBOARD_DIR says."""

from __future__ import annotations

import logging
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nlp_tasks.training_curve import CurvePoint
from workers.settings import Settings

log = logging.getLogger("docmill.worker")


def check(settings: Settings) -> None:
    """ValueError with the fix if event files are asked for and cannot be written."""
    if settings.tensorboard_dir and find_spec("tensorboard") is None:
        raise ValueError(
            "DOCMILL_TENSORBOARD_DIR is set, and tensorboard is not installed: pip install 'docmill[tensorboard]', or "
            "unset the variable"
        )


def events(settings: Settings, model: str, job_id: int) -> Events | None:
    """The event file of a training job; None if none is asked for, or none can be written: the training goes on."""
    if not settings.tensorboard_dir:
        return None
    name = re.sub(r"[^\w.-]", "_", model).lstrip(".") or "model"
    folder = Path(settings.tensorboard_dir) / name / f"job-{job_id}"
    try:
        from torch.utils.tensorboard import SummaryWriter

        return Events(SummaryWriter(str(folder)))
    except (ImportError, OSError) as error:
        log.warning("no event file for TensorBoard in %s: %s", folder, error)
        return None


class Events:
    """The event file of one training."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, point: CurvePoint) -> None:
        """A scalar: "training/loss", or "validation/accuracy". It can be seen at once."""
        kind, found, name = point.series.partition("validation_")
        self._writer.add_scalar(
            f"validation/{name}" if found else f"training/{kind}", point.value, point.epoch
        )
        self._writer.flush()

    def close(self) -> None:
        """No more points come."""
        self._writer.close()
