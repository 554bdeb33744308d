"""Retry the documents that failed for one cause, of one job or of all jobs of the last days."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db.access import Role
from db.errors import StoreError
from db.store import Store
from db.tables import Job
from docmill.web.access import number, view
from docmill.web.recent_failures import RecentFailures
from docmill.web.rendering import page
from scheduler import requests
from workers.kinds import all_kinds

#: Documents of a job that one request may retry.
MOST = 100_000
#: Those that no later job of the kind has done, and that were not replaced.
_FAILED = """
SELECT o.document_id FROM outcome o JOIN document d ON d.id = o.document_id
WHERE o.job_id = :job AND o.state = 'error' AND o.error_code = :code AND d.is_latest AND NOT EXISTS (
    SELECT 1 FROM outcome l JOIN job j ON j.id = l.job_id
    WHERE l.document_id = o.document_id AND l.job_id > :job AND l.state = 'ok' AND j.kind = :kind)
LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class Retried:
    """What would be, or was, retried of a job."""

    job_id: int
    kind: str
    n_documents: int
    #: The new job, or why there is none.
    new_job_id: int | None = None
    refused: str | None = None


@view(Role.SUBMIT)
def retry_cause(request: Request) -> Response:
    """Ask, naming the jobs and the number of documents; then submit a job for each."""
    store: Store = request.app.state.store
    failures: RecentFailures = request.app.state.recent_failures
    form: dict[str, list[str]] = request.state.form
    code = form.get("code", [""])[0]
    asked = [job for value in form.get("job", []) if (job := number(value)) is not None]
    with store.read() as session:
        found = [one for job in asked or failures.job_ids(session, code) if (one := _of(session, job, code))]
    if not found:
        raise HTTPException(409, f"Nothing to do: no document with {code or 'this cause'} is still failing.")
    if not form.get("confirmed"):
        return page(request, "retry_cause.html", code=code, found=found, most=MOST)
    return page(request, "retried.html", code=code, found=[_retried(store, one, code) for one in found])


def _of(session: Session, job_id: int, code: str) -> Retried | None:
    job = session.get(Job, job_id)
    n = len(_ids(session, job, code)) if job is not None else 0
    return Retried(job_id, job.kind, n) if job is not None and n else None


def _ids(session: Session, job: Job, code: str) -> tuple[int, ...]:
    values = {"job": job.id, "code": code, "kind": job.kind, "most": MOST}
    return tuple(session.scalars(text(_FAILED), values))


def _retried(store: Store, one: Retried, code: str) -> Retried:
    """In a transaction of its own: a job that refuses leaves the others alone."""
    try:
        with store.write() as session:
            job = session.get_one(Job, one.job_id)
            kind = all_kinds().get(job.kind)
            # A training learns from all its documents, or fails.
            ids = None if kind is not None and kind.train else _ids(session, job, code)
            new = requests.retry(session, one.job_id, ids)
    except (StoreError, ValueError) as error:
        return Retried(one.job_id, one.kind, one.n_documents, refused=str(error))
    return Retried(one.job_id, one.kind, new.n_documents, new_job_id=new.job_id)


ROUTES = [Route("/failures/retry", retry_cause, name="retry_cause", methods=["POST"])]
