"""Judging a new model, in the worker that trained it, beside the current champion."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import asdict

from db import model_versions
from db.gates import Judged, Judgement
from nlp_tasks.errors import ModelFileError
from nlp_tasks.kind import Candidate, Figure, Gate, Progress
from workers.processes.process import Process
from workers.running.opening import model_folder

log = logging.getLogger("docmill.worker")


def judge(process: Process, model: str, gate: Gate, candidate: Candidate, progress: Progress) -> Judgement:
    """The figures of a candidate for this model name. If the champion's files are missing
    here, the training is not lost: the figure `champion_files` fails, and a person decides."""
    with process.store.read() as session:
        champion = model_versions.champion(session, model)
        metrics = model_versions.metrics(session, champion.id) if champion is not None else {}
    words = "the gate judges the new version" + (f" beside {champion.ref}" if champion is not None else "")
    candidate = dataclasses.replace(candidate, beat=lambda: progress(1, 1, words))
    if champion is None:
        return _judgement(None, gate(candidate))
    try:
        folder = model_folder(process.store, process.settings, champion.id)
        figures = gate(dataclasses.replace(candidate, champion_dir=folder, champion_metrics=metrics))
    except ModelFileError as error:
        log.warning("the new version of %s is judged without its champion: %s", model, error)
        figures = [*gate(candidate), Figure("champion_files", 0.0, at_least=1.0)]
    return _judgement(champion.id, figures)


def _judgement(champion_version_id: int | None, figures: Sequence[Figure]) -> Judgement:
    return Judgement(
        champion_version_id, [Judged(**asdict(figure), passed=figure.passed) for figure in figures]
    )
