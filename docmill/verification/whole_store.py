"""Whether a whole store is consistent: `docmill verify --all`. Every job is counted again from its rows, some documents
of each are recomputed, and the files of every model version are read. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db import model_versions, results
from db.backup import facts
from db.chunks import is_every_chunk_closed
from db.errors import StoreError
from db.jobs import ENDED
from db.retention import passes
from db.states import OutcomeState
from db.store import Store
from db.tables import Chunk, Job, Outcome
from docmill.verification import reruns
from docmill.verification.comparison import Difference
from nlp_tasks import model_files
from nlp_tasks.errors import ModelFileError, NlpError
from scheduler.store import store
from workers.settings import settings

#: Chunks that are looked at in one transaction.
_CHUNKS = 200

#: (jobs done, jobs in all) -> nothing.
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Fault:
    """Something that is not as it must be."""

    #: "job 7", "model m@3", "alias m@champion".
    what: str
    fault: str


@dataclass(frozen=True)
class Verified:
    """What was looked at, and every fault."""

    n_jobs: int
    n_open: int
    n_models: int
    #: Documents that were recomputed.
    n_checked: int
    #: Jobs that cannot be recomputed here, with the reason.
    left_out: dict[int, str]
    faults: list[Fault]
    #: (job, difference)
    differences: list[tuple[int, Difference]]


def verify(sample: int, seed: int, device: str, tell: Tell) -> Verified:
    """Look at every job and model version of the store; of each ended job, `sample` documents are recomputed."""
    whole = store()
    n_models, faults = _models(whole)
    with whole.read() as session:
        jobs = session.execute(select(Job.id, Job.state).order_by(Job.id)).all()
    n_checked, left_out, differences = 0, {}, []
    for place, job in enumerate(jobs, start=1):
        with whole.read() as session:
            found = [Fault(f"job {job.id}", fault) for fault in _of_job(session, job.id)]
        faults += found
        if job.state in ENDED and sample and not found:
            try:
                checked = reruns.verify(job.id, sample, seed, device)
            except (ValueError, StoreError, NlpError) as error:
                left_out[job.id] = str(error)
            else:
                n_checked += checked.n_checked
                differences += [(job.id, difference) for difference in checked.differences]
        tell(place, len(jobs))
    n_open = sum(job.state not in ENDED for job in jobs)
    return Verified(len(jobs), n_open, n_models, n_checked, left_out, faults, differences)


def _of_job(session: Session, job_id: int) -> Iterator[str]:
    """What is wrong with a job's counts."""
    job = session.execute(
        select(Job.state, Job.n_documents, Job.n_ok, Job.n_error).where(Job.id == job_id)
    ).one()
    counted = select(Outcome.state, func.count()).where(Outcome.job_id == job_id).group_by(Outcome.state)
    states = {row[0]: int(row[1]) for row in session.execute(counted)}
    n_there, n_pruned = sum(states.values()), passes.pruned_of(session, job_id)
    if n_there + n_pruned > job.n_documents:
        yield f"{n_there:,} outcomes and {n_pruned:,} that were pruned, of {job.n_documents:,} documents"
    if job.state not in ENDED:
        return
    if not is_every_chunk_closed(session, job_id):
        yield f"it is {job.state} and has chunks that are not closed"
    if n_there + n_pruned < job.n_documents:
        yield f"{job.n_documents - n_there - n_pruned:,} documents have no outcome"
    ok, error = states.get(OutcomeState.OK, 0), states.get(OutcomeState.ERROR, 0)
    if not n_pruned and (ok, error) != (job.n_ok, job.n_error):
        yield f"it counts {job.n_ok:,} ok and {job.n_error:,} failed, and its rows are {ok:,} and {error:,}"
    if not n_pruned and (missing := _without_outcome(session, job_id)):
        yield f"{missing:,} of its own documents have no outcome"


def _without_outcome(session: Session, job_id: int) -> int:
    """How many documents of the first stage's chunks have no outcome. Outcomes of other documents may make up for them
    in the counts."""
    last = missing = 0
    while True:
        query = select(Chunk.id, Chunk.document_ids).where(
            Chunk.job_id == job_id, Chunk.stage == 0, Chunk.id > last
        )
        rows = session.execute(query.order_by(Chunk.id).limit(_CHUNKS)).all()
        if not rows:
            return missing
        ids = [id_ for row in rows for id_ in row.document_ids]
        missing += len(ids) - len(results.with_outcome(session, job_id, ids))
        last = rows[-1].id


def _models(whole: Store) -> tuple[int, list[Fault]]:
    """The files of every version that is not pruned."""
    with whole.engine.connect() as connection:
        versions = facts.models(connection)
    faults = []
    for version in versions:
        folder = settings().models_path / version.path
        try:
            manifest = folder / model_files.MANIFEST
            if manifest.is_file() and model_files.sha256_of(manifest) != version.manifest_sha256:
                raise ModelFileError(f"{manifest} is not the one that was registered")
            model_files.check(folder)
        except ModelFileError as error:
            faults.append(Fault(f"model {version.ref}", str(error)))
    with whole.read() as session:
        faults += [
            Fault(f"alias {each['model']}@{alias}", "it stands for a version whose files were pruned")
            for each in model_versions.listing(session)
            if each["pruned_at"] is not None
            for alias in each["aliases"]
        ]
    return len(versions), faults
