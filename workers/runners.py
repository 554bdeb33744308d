"""Opened runners, kept for the life of the process: a model is loaded once."""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from pathlib import Path
from typing import Any

from db import model_versions, results
from db.chunks import Claim
from nlp_tasks import model_files
from nlp_tasks.errors import ModelFileError
from nlp_tasks.kind import Kind, Runner, Setup, Stage, Vectors
from workers.kinds import parse_parameters
from workers.lease import Lease
from workers.process import Process

log = logging.getLogger("docmill.worker")

#: Runners kept open: enough for a worker that alternates between two jobs of two stages.
KEPT = 4

_open: OrderedDict[tuple[Any, ...], Runner] = OrderedDict()
#: The lease that the runner at work has to keep; runners outlive claims.
_lease: Lease | None = None


def runner_for(process: Process, lease: Lease, kind: Kind, stage: Stage) -> Runner:
    """The runner of a claim, opened on first use. Raises ModelFileError when a model's files are not whole."""
    global _lease
    _lease = lease
    claim = lease.claim
    key = _key(claim, stage)
    if key in _open:
        _open.move_to_end(key)
        return _open[key]
    while len(_open) >= KEPT:
        _open.popitem(last=False)
    with lease.loading():
        log.info("job %d: opening %s, stage %s", claim.job_id, kind.name, stage.name)
        _open[key] = stage.open(_setup(process, claim, kind))
    return _open[key]


def model_folder(process: Process, version_id: int) -> Path:
    """The folder of a model version, checked file by file against what was registered."""
    with process.store.read() as session:
        version = model_versions.by_id(session, version_id)
    folder = process.settings.models_path / version.path
    manifest = folder / model_files.MANIFEST
    if not manifest.is_file():
        raise ModelFileError(
            f"model {version.ref}: {manifest} is missing; is the models folder mounted here?"
        )
    if model_files.sha256_of(manifest) != version.manifest_sha256:
        raise ModelFileError(f"model {version.ref}: {manifest} is not the one that was registered")
    model_files.check(folder)
    return folder


def _setup(process: Process, claim: Claim, kind: Kind) -> Setup:
    version_id = claim.model_version_id
    parameters = parse_parameters(kind, claim.parameters)
    across = getattr(parameters, "scope", "collection") != "collection"

    def corpus() -> Vectors:
        assert version_id is not None, "only kinds with a model read vectors"
        return _vectors(process, version_id, None if across else claim.collection_id)

    def beat() -> None:
        if _lease is not None:
            _lease.beat()

    return Setup(
        parameters=parameters,
        device=process.settings.device,
        model_dir=model_folder(process, version_id) if version_id is not None else None,
        corpus=corpus,
        beat=beat,
    )


def _vectors(process: Process, version_id: int, collection_id: int | None) -> Vectors:
    import numpy as np

    ids: list[int] = []
    keys: list[str] = []
    blocks: list[bytes] = []
    with process.store.read() as session:
        for id_, key, vector in results.vectors(session, version_id, collection_id):
            ids.append(id_)
            keys.append(key)
            blocks.append(vector)
    matrix = (
        np.frombuffer(b"".join(blocks), dtype="<f4").reshape(len(ids), -1) if ids else np.zeros((0, 1), "<f4")
    )
    return Vectors(np.asarray(ids, dtype=np.int64), keys, matrix)


def _key(claim: Claim, stage: Stage) -> tuple[Any, ...]:
    """What a runner depends on. A stage that reads vectors sees those of its own job's time."""
    job = claim.job_id if stage.reads == "nothing" else None
    parameters = json.dumps(claim.parameters, sort_keys=True)
    return (claim.kind, stage.name, parameters, claim.model_version_id, claim.collection_id, job)
