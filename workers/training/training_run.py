"""A training job's one chunk: build the model beside its place, move it there whole, register it as it closes.

A training cannot be interrupted from inside: when it has to end early (stopped, cancelled, killed), the process ends
with it. The next process goes on from the last checkpoint, or starts again if the kind saves none.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from db import chunks, documents, model_versions
from db.chunks import WHOLE_CHUNK, Claim, Written
from db.errors import FencedError
from db.gates import Judgement
from db.model_versions import Registered
from db.progress import note_of
from db.results import Rows
from db.states import ErrorCode
from nlp_tasks import checkpoint, heartbeat, model_files, precision, training_curve
from nlp_tasks.errors import TrainingError
from nlp_tasks.kind import Candidate, Documents, Kind, Progress, Train
from workers.kinds import parse_parameters
from workers.processes.process import Process
from workers.running import faults, memory, opening
from workers.running.chunk_report import Failed
from workers.running.lease import Lease, StopRequestedError
from workers.running.writing import as_figures
from workers.training import judging, placing, tensorboard
from workers.training.curve import Curve
from workers.training.equal_texts import without_equal_texts
from workers.training.stored_documents import StoredDocuments

log = logging.getLogger("docmill.worker")

#: A training whose own code raises is given up after this many tries.
MOST_TRIES = 4


@dataclass(frozen=True)
class Made:
    """A trained model in its place."""

    path: str
    metrics: dict[str, float]
    figures: dict[str, Rows]
    judgement: Judgement | None


def run(process: Process, lease: Lease, kind: Kind, train: Train) -> str:
    """Train, register, close. If no model can be made of the documents, each of them gets this error."""
    claim = lease.claim
    _be_the_suspect(process, lease)
    building = _building_folder(process.settings.models_path / ".building", claim)
    events = tensorboard.events(process.settings, claim.model_ref or claim.kind, claim.job_id)
    curve = Curve(building.parent / f"job-{claim.job_id}.curve", events)
    try:
        with training_curve.heard_by(curve):
            made = _make(process, lease, kind, train, building)
    except TrainingError as error:
        curve.close()
        _fail(process, lease, building, str(error))
        return Failed(f"no model: {error}")
    except Exception as error:
        # It may be a temporary fault. After MOST_TRIES it is not, and the job has to end.
        if faults.is_not_the_documents(error) or claim.n_put_back + 1 < MOST_TRIES:
            raise
        log.error("training of job %d: %s", claim.job_id, faults.where(error))
        curve.close()
        why = f"its code raised {type(error).__name__} at each of {MOST_TRIES} tries"
        _fail(process, lease, building, f"{why}: {str(error)[:200]}")
        return Failed(f"no model: {why}")
    made.figures.update(curve.rows())
    registered = _close(process, lease, Written(ok_ids=claim.document_ids), made)
    curve.close()
    note = registered.note if registered is not None else ""
    return f"a model from {len(claim.document_ids)} documents; {note}"


def _make(process: Process, lease: Lease, kind: Kind, train: Train, building: Path) -> Made:
    """The model, judged and in its place."""
    claim = lease.claim
    with process.store.read() as session:
        ids = documents.existing(session, claim.document_ids)
    stored: Documents
    if kind.labelled_only:
        stored = without_equal_texts(process.store, ids, claim.collection_id)
    else:
        stored = StoredDocuments(process.store, ids, with_meta=kind.reads_meta)
    progress = _progress(process, lease)
    parameters = opening.with_folders(
        process.store, process.settings, kind, parse_parameters(kind, claim.parameters), TrainingError
    )
    precision.choose(process.settings.precision)
    memory.hold_to_share(process.settings)
    with heartbeat.heard_by(partial(_go_on, process, lease)):
        metrics = train(stored, parameters, process.settings.device, building, progress)
        figures = as_figures(kind.figures(building)) if kind.figures is not None else {}
        judgement = None
        if kind.gate is not None:
            candidate = Candidate(stored, building, metrics, None, process.settings.device)
            judgement = judging.judge(process, claim.model_ref or claim.kind, kind.gate, candidate, progress)
        return Made(
            placing.move(process.settings.models_path, claim.model_ref or claim.kind, building),
            metrics,
            figures,
            judgement,
        )


def _fail(process: Process, lease: Lease, building: Path, why: str) -> None:
    """No model: that is every document's outcome."""
    shutil.rmtree(building, ignore_errors=True)
    errors = [(id_, ErrorCode.TRAINING_FAILED, why) for id_ in lease.claim.document_ids]
    _close(process, lease, Written(errors=errors, note=f"no model: {why}"))


def _be_the_suspect(process: Process, lease: Lease) -> None:
    def step() -> None:
        with process.store.write() as session:
            chunks.suspect(session, lease.claim, WHOLE_CHUNK, lease.seconds)

    lease.insist_on_writing(step)


def _progress(process: Process, lease: Lease) -> Progress:
    def progress(done: int, total: int, words: str) -> None:
        _go_on(process, lease, note_of(done, total, words))

    return progress


def _go_on(process: Process, lease: Lease, note: str | None = None) -> None:
    """Beat; a training that is not to go on ends here, with its process."""
    try:
        lease.beat(note)
    except (FencedError, StopRequestedError) as error:
        # Raising would leave it to a training library's threads to end; nothing of it is needed any more.
        log.warning("training of job %d ends early: %s", lease.claim.job_id, type(error).__name__)
        if isinstance(error, StopRequestedError):
            with process.store.write() as session:
                chunks.give_back(session, process.instance)
        process.leave()


def _close(process: Process, lease: Lease, written: Written, made: Made | None = None) -> Registered | None:
    """Close the chunk and register the model, if one was made, in one transaction."""

    def step() -> Registered | None:
        with process.store.write() as session:
            chunks.write(session, lease.claim, written, lease.seconds, close=True)
            if made is None:
                return None
            manifest = process.settings.models_path / made.path / model_files.MANIFEST
            sha256 = model_files.sha256_of(manifest)
            return model_versions.register(
                session, lease.claim.job_id, made.path, sha256, made.metrics, made.judgement, made.figures
            )

    return lease.insist_on_writing(step)


def _building_folder(parent: Path, claim: Claim) -> Path:
    """A folder for this claim only, with the checkpoint of the claim before. A worker that was taken for dead and still
    works has its own folder, and does not touch this one."""
    building = parent / f"job-{claim.job_id}-{claim.fence}"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    there = ((int(path.name.rpartition("-")[2]), path) for path in parent.glob(f"job-{claim.job_id}-*"))
    before = sorted((fence, path) for fence, path in there if fence < claim.fence)
    for _, folder in reversed(before):
        if (folder / checkpoint.FOLDER).is_dir():
            shutil.copytree(folder / checkpoint.FOLDER, building / checkpoint.FOLDER)
            break
    for _, folder in before:
        shutil.rmtree(folder, ignore_errors=True)
    return building
