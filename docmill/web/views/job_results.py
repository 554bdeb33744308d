"""What a job found: its first rows on the page of the job, and all that `docmill results --html` shows as a page of its
own; and what the job belongs to: its model, its night."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from db import model_versions, progress
from db import results as stored
from db.progress import JobProgress
from db.store import Store
from db.tables import Job
from docmill import job_rows
from docmill.pages import documents as one_file
from docmill.pages.plain_tables import value
from docmill.pages.registry import job_page
from docmill.web.access import view
from docmill.web.rendering import address
from workers import kinds

#: Rows on the page of a job, documents on the page of its results.
MOST_ROWS, MOST_DOCUMENTS = 20, 100
#: Characters of a value on the page of a job.
CHARS = 160


@dataclass(frozen=True)
class Found:
    """The first rows, ready to be shown."""

    columns: list[tuple[str, str, str]]
    rows: list[dict[str, Any]]
    #: The model version that the job used or made: its name, and the address of its figures.
    model: tuple[str, str] | None


def first(request: Request, session: Session, job: JobProgress) -> Found:
    """The first rows of a job, each with the address of its document."""
    model = _model(request, session, job)
    if not job.n_ok or not job_rows.has_rows(job.kind):
        return Found([], [], model)
    query, _ = stored.query_of(job.job_id, kinds.result_table(job.kind))
    names = job_rows.headings(job.kind)
    rows = [
        {name: _short(cell) for name, cell in row.items()}
        | {
            "document_key_url": address(
                request, "document", collection=job.collection, key=row["document_key"]
            )
        }
        for row in session.execute(query.limit(MOST_ROWS)).mappings()
    ]
    shown = [name for name in (rows[0] if rows else ()) if any(row.get(name) for row in rows)]
    columns = [
        (name, "Document" if name == "document_key" else names.get(name, name).replace("_", " "), "text")
        for name in shown
        if name != "document_key_url"
    ]
    return Found(columns, rows, model)


def document_url(request: Request, job: JobProgress, key: str) -> str | None:
    """The page of one of a job's documents; None where the job is over files, which become documents by it."""
    known = kinds.all_kinds().get(job.kind)
    if known is not None and known.over_files:
        return None
    return address(request, "document", collection=job.collection, key=key)


def _short(cell: Any) -> str | None:
    text = None if cell is None else value(cell)
    return text if text is None or len(text) <= CHARS else f"{text[: CHARS - 1]}…"


def _model(request: Request, session: Session, job: JobProgress) -> tuple[str, str] | None:
    made = model_versions.with_that_of(session, job.job_id)
    if made:
        name, number = made[0]["model"], made[0]["version"]
    else:
        used = session.scalar(select(Job.model_version_id).where(Job.id == job.job_id))
        if used is None:
            return None
        version = model_versions.by_id(session, used)
        name, number = version.model, version.version
    return f"{name}@{number}", address(request, "figures", model=name, version=number)


@view()
def results(request: Request) -> Response:
    """The page that `docmill results JOB --html` writes."""
    store: Store = request.app.state.store
    with store.read() as session:
        job = progress.of(session, int(request.path_params["job_id"]))
        text = "".join(job_page(job).write(session, job, MOST_DOCUMENTS))
    return HTMLResponse(text, headers={"content-security-policy": one_file.POLICY})


ROUTES = [Route("/jobs/{job_id:int}/results", results, name="job_results")]
