"""What a job found, and what failed: page by page, as JSON, JSON Lines, CSV or Parquet."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from db import jobs, progress, result_pages, where
from docmill.web.api import formats
from docmill.web.api.numbers import job_number
from docmill.web.api.operation import CSV, JSONL, PARQUET, Call, operation
from docmill.web.api.paging import decode
from docmill.web.api.problems import invalid
from workers import kinds


class Results(formats.Formatted):
    """Which rows, and how."""

    table: Annotated[
        str | None,
        Field(max_length=200, description="another of the kind's tables; `GET /v1/kinds` names them"),
    ] = None
    meta: Annotated[
        list[str],
        Field(
            default_factory=list,
            max_length=100,
            description="fields of the documents' metadata to add; a.b is one of an object",
        ),
    ]


class Errors(formats.Formatted):
    """Which failures, and how."""

    code: Annotated[str | None, Field(max_length=200, description="only those with this error code")] = None


class ResultPage(BaseModel):
    """A page of result rows. The columns are those of the table (docs: kinds of jobs)."""

    job_state: Annotated[str, Field(description="while it is not `finished` or `cancelled`, rows may follow")]
    data: list[dict[str, Any]]
    next_after: str | None
    next: str | None


@operation(
    "GET", "/jobs/{job_id}/results", tag="results", query=Results, answers=ResultPage, media=(JSONL, CSV, PARQUET),
    problems=(404,),
)  # fmt: skip
def list_results(call: Call) -> Response:
    """The result rows of a job, by document and rank.

    Rows of a running job are there as soon as their documents are done. They come in any order of documents: read the
    pages again from the beginning once the job has ended. A page ends early if its texts are long. In other formats
    than `json`, the header `Link` holds the address of the next page, and `Docmill-Job-State` the state."""
    query, job_id = call.query(Results), job_number(call)
    with call.store.read() as session:
        # The state before the rows: of a job that had ended, all rows are there.
        job = progress.of(session, job_id)
        try:
            table = kinds.result_table(job.kind, query.table, job.model)
        except ValueError as error:
            raise invalid("table", str(error)) from None
        if query.meta:
            where.check_fields(session, query.meta, jobs.by_id(session, job_id).collection_id)
        after = decode(query.after, result_pages.key_types(table))
        found = result_pages.of_results(session, job_id, table, after, query.limit, query.meta)
    return formats.answer(call, found, str(job.state))


@operation(
    "GET", "/jobs/{job_id}/errors", tag="results", query=Errors, answers=ResultPage, media=(JSONL, CSV, PARQUET),
    problems=(404,),
)  # fmt: skip
def list_errors(call: Call) -> Response:
    """The documents that failed in a job, each with `error_code` and `error_detail`."""
    query, job_id = call.query(Errors), job_number(call)
    with call.store.read() as session:
        job = progress.of(session, job_id)
        after = decode(query.after, (int,))
        found = result_pages.of_errors(session, job_id, query.code, after, query.limit)
    return formats.answer(call, found, str(job.state))


OPERATIONS = (list_results, list_errors)
