"""The curve of a training job: its points survive the process, are stored with the model, and go to TensorBoard.

Points are lines of a file beside the model that is being built: a training that resumes from a checkpoint records only
the epochs that are left.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from db.results import Rows
from nlp_tasks.training_curve import CurvePoint
from workers.running.writing import as_figures
from workers.training.tensorboard import Events

log = logging.getLogger("docmill.worker")


class Curve:
    """Listens to a training (nlp_tasks.training_curve)."""

    def __init__(self, file: Path, events: Events | None) -> None:
        self._file = file
        self._events = events
        self._points: dict[tuple[str, int], CurvePoint] = {}
        for point in _points(file):
            self._keep(point)

    def __call__(self, point: CurvePoint) -> None:
        """Keep a point."""
        self._keep(point)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(point)) + "\n")
        if self._events is not None:
            self._if_possible(partial(self._events.write, point))

    def rows(self) -> dict[str, Rows]:
        """The points as a table of figures; empty for a training without epochs."""
        return as_figures([point for _, point in sorted(self._points.items())])

    def close(self) -> None:
        """The training has ended."""
        if self._events is not None:
            self._if_possible(self._events.close)
        self._file.unlink(missing_ok=True)

    def _if_possible(self, step: Callable[[], None]) -> None:
        """The training goes on without an event file whose disk is full."""
        try:
            step()
        except OSError as error:
            log.warning("no more points for TensorBoard: %s", error)
            self._events = None

    def _keep(self, point: CurvePoint) -> None:
        # A training that began anew has not come to the later epochs yet.
        for series, epoch in list(self._points):
            if series == point.series and epoch > point.epoch:
                del self._points[series, epoch]
        self._points[point.series, point.epoch] = point


def _points(file: Path) -> list[CurvePoint]:
    """The points of an earlier process, but for a line that it was killed in, which is ended here."""
    if not file.is_file():
        return []
    written = file.read_text(encoding="utf-8", errors="replace")
    if written and not written.endswith("\n"):
        with file.open("a", encoding="utf-8") as to:
            to.write("\n")
    points = []
    for line in written.splitlines():
        try:
            points.append(CurvePoint(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return points
