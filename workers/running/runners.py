"""Open runners, kept as long as the process lives and its memory allows, so that a model is loaded once."""

from __future__ import annotations

import gc
import json
import logging
import time
from functools import cache, partial
from pathlib import Path
from typing import Any

from db.chunks import Claim
from nlp_tasks.kind import Kind, Runner, Setup, Stage
from workers import tracing
from workers.processes.process import Process
from workers.running import faults, memory
from workers.running.lease import Lease
from workers.running.opening import setup_for
from workers.running.resident import Resident
from workers.settings import settings

log = logging.getLogger("docmill.worker")

#: The lease of the current claim: runners outlive claims.
_lease: Lease | None = None


@cache
def resident() -> Resident:
    """The runners of this process."""
    now = settings()
    memory.hold_to_share(now)
    return Resident(partial(memory.used, now.device), partial(memory.release, now.device), memory.budget(now))


def runner_for(process: Process, lease: Lease, kind: Kind, stage: Stage) -> Runner:
    """The runner of a claim, opened on first use. Raises ModelFileError when a model's files are not whole."""
    global _lease
    _lease = lease
    claim = lease.claim
    key = _key(claim, stage)
    kept = resident().get(key)
    if kept is not None:
        return kept
    with lease.loading(), tracing.span("open model", kind=kind.name, stage=stage.name):
        began = time.monotonic()
        log.info("job %d: opening %s, stage %s", claim.job_id, kind.name, stage.name)
        # The collector scans what is loaded now. All that is older is scanned when a model leaves (`memory.release`).
        gc.freeze()
        setup = setup_for(process.store, process.settings, kind, stage, claim, _beat, job_id=claim.job_id)
        runner = resident().open(key, partial(stage.open, setup), _expected(setup), faults.is_out_of_memory)
        # What was loaded stays: the garbage collector need not scan it again and again.
        gc.collect()
        gc.freeze()
        seconds = time.monotonic() - began
        process.metrics.observe("docmill_worker_model_load_seconds", kind.name, value=seconds)
    return runner


def make_room() -> bool:
    """Let a model go that is not in use now; whether there was one (`nlp_tasks.memory_pressure`)."""
    return resident().make_room()


def _beat() -> None:
    if _lease is not None:
        _lease.beat()


def _expected(setup: Setup) -> int:
    """Bytes that a runner will take at least: those of its model's files."""
    if setup.model_dir is None:
        return 0
    return sum(path.stat().st_size for path in Path(setup.model_dir).rglob("*") if path.is_file())


def _key(claim: Claim, stage: Stage) -> tuple[Any, ...]:
    """What a runner depends on. A stage that reads vectors sees those of its own job's collection and time."""
    corpus = (
        (claim.collection_id, claim.job_id) if stage.vectors is not None or stage.reads == "nothing" else None
    )
    parameters = json.dumps(claim.parameters, sort_keys=True)
    return (claim.kind, stage.name, parameters, claim.model_version_id, corpus)
