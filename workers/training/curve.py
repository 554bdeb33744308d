"""The curve of a training job: its points survive the process, are stored with the model, and go to TensorBoard.

Points are lines of a file beside the model that is being built: a training that resumes from a checkpoint records only
the epochs that are left.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from db.results import Rows
from nlp_tasks.training_curve import CurvePoint
from workers.running.writing import as_figures
from workers.training.tensorboard import Events


class Curve:
    """Listens to a training (nlp_tasks.training_curve)."""

    def __init__(self, file: Path, events: Events | None) -> None:
        self._file = file
        self._events = events
        self._points: dict[tuple[str, int], CurvePoint] = {}
        for line in _lines(file):
            self._keep(line)

    def __call__(self, point: CurvePoint) -> None:
        """Keep a point."""
        self._keep(point)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(point)) + "\n")
        if self._events is not None:
            self._events.write(point)

    def rows(self) -> dict[str, Rows]:
        """The points as a table of figures; empty for a training without epochs."""
        return as_figures([point for _, point in sorted(self._points.items())])

    def close(self) -> None:
        """The training has ended."""
        if self._events is not None:
            self._events.close()
        self._file.unlink(missing_ok=True)

    def _keep(self, point: CurvePoint) -> None:
        # A training that began anew has not come to the later epochs yet.
        for series, epoch in list(self._points):
            if series == point.series and epoch > point.epoch:
                del self._points[series, epoch]
        self._points[point.series, point.epoch] = point


def _lines(file: Path) -> list[CurvePoint]:
    """The points of an earlier process, but for a line that it was killed in."""
    points = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            points.append(CurvePoint(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return points
