"""A new model before its gate, in the worker that trained it: beside the champion of this moment."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import asdict

from db import model_versions
from db.gates import Judged, Judgement
from nlp_tasks.errors import ModelFileError
from nlp_tasks.kind import Candidate, Figure, Gate, Progress
from workers.opening import model_folder
from workers.process import Process

log = logging.getLogger("docmill.worker")


def judge(process: Process, model: str, gate: Gate, candidate: Candidate, progress: Progress) -> Judgement:
    """The figures of a candidate for this model name. A champion whose files are not whole here is no reason to
    lose a training: the figure `champion_files` fails, and a person decides."""
    with process.store.read() as session:
        champion = model_versions.champion(session, model)
    broken: list[Figure] = []
    champion_dir = None
    if champion is not None:
        try:
            champion_dir = model_folder(process.store, process.settings, champion.id)
        except ModelFileError as error:
            log.warning("the new version of %s is judged without its champion: %s", model, error)
            broken = [Figure("champion_files", 0.0, at_least=1.0)]
    beside = f" beside {champion.ref}" if champion is not None else ""
    candidate = dataclasses.replace(
        candidate,
        champion_dir=champion_dir,
        beat=lambda: progress(1, 1, f"the gate judges the new version{beside}"),
    )
    figures = [*gate(candidate), *broken]
    return Judgement(
        champion.id if champion is not None else None,
        [Judged(**asdict(figure), passed=figure.passed) for figure in figures],
    )
