"""Runs documents of a job again in this process, for `docmill repro` and `docmill verify`. Writes nothing.

Imports no torch; the kind's runner does when it is opened.
"""

from __future__ import annotations

import faulthandler
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db import documents, jobs, quarantine, results
from db.errors import ConflictError, NotFoundError
from db.jobs import ENDED
from db.retention import passes
from db.sql import each_id
from db.states import ErrorCode
from db.tables import Chunk, Document, Outcome
from docmill.verification.comparison import ROUNDED, TOLERANCE, Difference, differences
from nlp_tasks import kind as kinds
from nlp_tasks import precision
from nlp_tasks.errors import DocumentError
from scheduler.store import store
from workers.running import foreground
from workers.running.foreground import PastJob
from workers.settings import Settings, settings

#: Outcomes that no runner gave: there is nothing to compare, and some of them would end this process.
NOT_COMPARED = (*quarantine.CODES, ErrorCode.CANCELLED, ErrorCode.NO_MODEL, ErrorCode.REMOVED)


@dataclass(frozen=True)
class Found:
    """A document in the version that a job processed."""

    job: PastJob
    document: kinds.Document


@dataclass(frozen=True)
class Checked:
    """The result of a verification."""

    n_checked: int
    n_left_out: int
    differences: list[Difference]
    #: Outcomes that retention has pruned.
    n_pruned: int = 0
    #: How much numbers might differ.
    tolerance: float = TOLERANCE


def find(job_id: int, key: str) -> Found:
    """The version of the document that the job processed. NotFoundError if it had none with this key."""
    with store().read() as session:
        job = PastJob.from_row(jobs.by_id(session, job_id))
        in_chunk, id_ = each_id(Chunk.document_ids)
        version = session.scalar(
            select(Document.id)
            .where(
                Document.collection_id == job.collection_id,
                Document.key == key,
                Document.erased_at.is_(None),
                exists(select(Chunk.id).join(in_chunk, id_ == Document.id).where(Chunk.job_id == job_id)),
            )
            .limit(1)
        )
        if version is None:
            raise NotFoundError(
                f"job {job_id} has no document {key!r}: `docmill results {job_id}` and --errors show the keys"
            )
        [text] = documents.stream(session, [version], with_meta=True)
    return Found(job, _document(text))


def _document(text: documents.Text) -> kinds.Document:
    return kinds.Document(text.id, text.key, text.text, text.label, text.not_prose, text.meta)


def run_one(found: Found, device: str, beat: Callable[[], None]) -> list[Any] | DocumentError:
    """Run all stages on this document; exceptions of the runner are not caught."""
    return foreground.run_one(store(), _on(device), found.job, found.document, beat)


def verify(job_id: int, sample: int, seed: int, device: str) -> Checked:
    """Recompute a sample of an ended job's documents and compare with what is stored."""
    with store().read() as session:
        row = jobs.by_id(session, job_id)
        if row.state not in ENDED:
            raise ConflictError(f"job {job_id} is {row.state}: it can be verified once it has ended")
        job = PastJob.from_row(row)
        outcomes = select(Outcome.document_id, Outcome.error_code).where(Outcome.job_id == job_id)
        codes = {row.document_id: row.error_code for row in session.execute(outcomes)}
        comparable = documents.existing(
            session, sorted(id_ for id_, code in codes.items() if code not in NOT_COMPARED)
        )
        n_pruned = passes.pruned_of(session, job_id)
        if len(codes) + n_pruned != row.n_documents:
            counts = f"{len(codes):,} outcomes and {n_pruned:,} that were pruned"
            raise ConflictError(f"job {job_id} does not add up: {counts} of {row.n_documents:,} documents")
        chosen = sorted(random.Random(seed).sample(comparable, min(sample, len(comparable))))
        texts = [_document(text) for text in documents.stream(session, chosen, with_meta=job.kind.reads_meta)]
        stored = {row.table: _stored(session, row.table, job, chosen) for row in job.kind.rows}
        tolerance = _tolerance(session, job, device)
    again = foreground.run_again(store(), _on(device), job, texts)
    found: list[Difference] = []
    for document in texts:
        rows = {table: by_id.get(document.id, []) for table, by_id in stored.items()}
        found += differences(document.key, codes[document.id], rows, again[document.id], tolerance)
    return Checked(len(chosen), len(codes) - len(comparable), found, n_pruned, tolerance)


def _tolerance(session: Session, job: PastJob, device: str) -> float:
    """Models that computed in 16 bits, then or now, agree to fewer digits. Which precision a past job had is not
    stored: that of this process's settings is taken for it, on the devices of the workers that it had."""
    workers = session.scalars(select(Chunk.worker).where(Chunk.job_id == job.id).distinct())
    rounded = precision.may_round(settings().precision, device, *(worker or "" for worker in workers))
    return ROUNDED if job.kind.rounds and rounded else TOLERANCE


@contextmanager
def watching(seconds: float | None) -> Iterator[Callable[[], None]]:
    """A crash or a hang inside prints a traceback on stderr. Call what is yielded to restart the time limit."""
    limit = settings().lease_seconds if seconds is None else seconds
    stderr: Any = sys.__stderr__
    faulthandler.enable(file=stderr)

    def beat() -> None:
        faulthandler.dump_traceback_later(limit, exit=True, file=stderr)

    beat()
    try:
        yield beat
    finally:
        faulthandler.cancel_dump_traceback_later()


def _stored(session: Session, table: str, job: PastJob, ids: list[int]) -> dict[int, list[dict[str, Any]]]:
    by_model = table in results.by_model_version()
    owner = ("model_version_id", job.model_version_id) if by_model else ("job_id", job.id)
    return results.rows_of_documents(session, table, owner, ids)


def _on(device: str) -> Settings:
    return settings().model_copy(update={"device": device})
