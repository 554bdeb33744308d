"""What a worker does with a message: claim the chunk, see it through, and requeue it if something else than a document
is at fault.

No transaction is open while a model works. Everything that is written carries the claim's fence.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from db import chunks
from db.chunks import Claim
from db.database_errors import words
from db.errors import DrainedError, FencedError, NewerCodeError, NewerSchemaError
from nlp_tasks import heartbeat, memory_pressure
from workers import kinds, tracing
from workers.processes import log_context
from workers.processes.process import Process
from workers.running import device_trouble, faults, runners
from workers.running.chunk_report import Failed, Refused
from workers.running.documents_run import DocumentsRun
from workers.running.lease import Lease, StopRequestedError
from workers.training import training_run

log = logging.getLogger("docmill.worker")


def run(process: Process, chunk_id: int) -> str:
    """Claim a chunk and see it through; returns what came of it, in words: `Failed` if there are only errors,
    `Refused` if this worker may not claim it. A message about a chunk that is closed, leased, paused or cancelled does
    nothing."""
    log_context.begin(chunk=chunk_id)
    began_ns = time.time_ns()
    try:
        holder = replace(process.holder, known_epochs=kinds.known_epochs())
        claim = chunks.claim_at_once(process.store, chunk_id, holder, process.settings.lease_seconds)
    except DrainedError as error:
        _hand_on(process, chunk_id)
        log.info("not claimed: %s", error)
        return Refused(f"not claimed: {error}")
    except (NewerSchemaError, NewerCodeError) as error:
        log.error("not claimed: %s", error)
        return Refused(f"not claimed: {error}")
    except SQLAlchemyError as error:
        # Nothing is held. The scheduler sends the chunk again.
        log.warning("cannot claim chunk %d: %s", chunk_id, words(error))
        return f"not claimed: {type(error).__name__}"
    if claim is None:
        return "nothing to do: done, taken, paused or cancelled"
    log_context.begin(
        job=claim.job_id, chunk=chunk_id, kind=claim.kind, fence=claim.fence, instance=process.instance
    )
    process.holds(claim)
    began = time.monotonic()
    process.metrics.set("docmill_worker_busy", value=1)
    said: str = Failed("its process could not go on")
    try:
        said = _traced(process, claim, began_ns)
    finally:
        process.holds(None)
        process.metrics.set("docmill_worker_busy", value=0)
        process.metrics.observe("docmill_worker_chunk_seconds", claim.kind, value=time.monotonic() - began)
        process.metrics.count("docmill_worker_chunks_total", claim.kind, _result(said))
        process.reporter.write(now=True)
    return said


def _result(said: str) -> str:
    """The report on a chunk, as one of a few words."""
    if said.startswith("put back"):
        return "put_back" if isinstance(said, Failed) else "stopped"
    if said.startswith("dropped"):
        return "dropped"
    return "failed" if isinstance(said, Failed) else "done"


def _traced(process: Process, claim: Claim, began_ns: int) -> str:
    """See it through, as a part of its job's trace."""
    with tracing.span(
        "chunk",
        parent=claim.traceparent,
        start_ns=began_ns,
        job=claim.job_id,
        chunk=claim.chunk_id,
        kind=claim.kind,
        stage=claim.stage,
        fence=claim.fence,
        documents=len(claim.document_ids),
    ) as span:
        with tracing.span("claim", start_ns=began_ns):
            # It is over: only now is it known whose trace it belongs to.
            pass
        said = _see_through(process, claim)
        tracing.note(span, result=_result(said))
        return said


def _see_through(process: Process, claim: Claim) -> str:
    lease = Lease(process, claim)
    try:
        with lease.kept(), heartbeat.heard_by(lease.beat), memory_pressure.relieved_by(runners.make_room):
            lease.beat()
            kind = kinds.find(claim.kind)
            if kind.train is not None:
                with tracing.span("train"):
                    return training_run.run(process, lease, kind, kind.train)
            return DocumentsRun(process, lease, kind).run()
    except FencedError:
        return "dropped: the chunk was cancelled or is somebody else's by now"
    except StopRequestedError:
        return _put_back(lease, "the worker was stopped", count=False)
    except NewerSchemaError as error:
        log.error("chunk %d of job %d is given back: %s", claim.chunk_id, claim.job_id, error)
        return _put_back(lease, str(error), count=False)
    except Exception as error:
        if faults.is_sticky(error) or faults.is_device_fault(error):
            device_trouble.end(lease, error, partial(_put_back, lease, in_public="the device failed"))
        log.error("chunk %d of job %d: %s", claim.chunk_id, claim.job_id, faults.where(error))
        return _put_back(lease, faults.in_words(error), in_public=faults.in_public(error))


def _hand_on(process: Process, chunk_id: int) -> None:
    """This worker has used up the message: let the scheduler send another at once, for another worker."""
    try:
        with process.store.write() as session:
            chunks.unsend(session, [chunk_id])
    except SQLAlchemyError as error:
        # It is sent again all the same, after `resend_seconds`.
        log.warning("cannot hand chunk %d on: %s", chunk_id, words(error))


def _put_back(lease: Lease, fault: str, *, in_public: str = "", count: bool = True) -> str:
    """Requeue the chunk after a fault that no document caused, with a delay that grows each time. The store keeps the
    whole fault; Celery logs and Flower shows `in_public`. Without `count` the chunk is requeued at once."""
    process, claim = lease.process, lease.claim
    try:
        with process.store.write() as session:
            if count:
                chunks.put_back(session, claim, fault)
            else:
                chunks.give_back(session, process.instance)
    except Exception as error:
        # The lease will run out by itself.
        log.warning("cannot put chunk %d back: %s", claim.chunk_id, type(error).__name__)
    words = f"put back: {in_public or fault}"
    return Failed(words) if count else words
