"""Open runners, kept as long as the process lives, so that a model is loaded once."""

from __future__ import annotations

import gc
import json
import logging
import time
from collections import OrderedDict
from typing import Any

from db.chunks import Claim
from nlp_tasks.kind import Kind, Runner, Stage
from workers import tracing
from workers.processes.process import Process
from workers.running.lease import Lease
from workers.running.opening import setup_for

log = logging.getLogger("docmill.worker")

#: Runners kept open: enough for a worker that alternates between two jobs of two stages.
KEPT = 4

_open: OrderedDict[tuple[Any, ...], Runner] = OrderedDict()
#: The lease of the current claim: runners outlive claims.
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
    with lease.loading(), tracing.span("open model", kind=kind.name, stage=stage.name):
        began = time.monotonic()
        log.info("job %d: opening %s, stage %s", claim.job_id, kind.name, stage.name)
        gc.unfreeze()
        setup = setup_for(process.store, process.settings, kind, stage, claim, _beat, job_id=claim.job_id)
        _open[key] = stage.open(setup)
        # What was loaded stays: the garbage collector need not scan it again and again.
        gc.collect()
        gc.freeze()
        seconds = time.monotonic() - began
        process.metrics.observe("docmill_worker_model_load_seconds", kind.name, value=seconds)
    return _open[key]


def _beat() -> None:
    if _lease is not None:
        _lease.beat()


def _key(claim: Claim, stage: Stage) -> tuple[Any, ...]:
    """What a runner depends on. A stage that reads vectors sees those of its own job's collection and time."""
    corpus = (
        (claim.collection_id, claim.job_id) if stage.vectors is not None or stage.reads == "nothing" else None
    )
    parameters = json.dumps(claim.parameters, sort_keys=True)
    return (claim.kind, stage.name, parameters, claim.model_version_id, corpus)
