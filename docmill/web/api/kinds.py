"""The kinds of jobs, with the JSON Schema of their parameters as they declare it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from db.tables import result
from docmill.web.api.operation import Call, operation
from docmill.web.api.problems import Problem
from nlp_tasks import parameters
from nlp_tasks.kind import Kind as DeclaredKind
from workers import kinds


class Kind(BaseModel):
    """A kind of job."""

    kind: str
    summary: str
    #: JSON Schema of `parameters` of a job.
    parameters: dict[str, Any]
    #: The tables of its results; the first one is that of `GET /v1/jobs/{job_id}/results`.
    tables: list[str]
    trains: bool
    #: The kind that trains the model that it needs.
    model_from: str | None


class Kinds(BaseModel):
    """All kinds."""

    data: list[Kind]


@operation("GET", "/kinds", tag="kinds", answers=Kinds)
def list_kinds(call: Call) -> Kinds:
    """The kinds of jobs, each with the JSON Schema of its parameters."""
    del call
    return Kinds(data=[_of(kind) for _, kind in sorted(kinds.all_kinds().items())])


@operation("GET", "/kinds/{kind}", tag="kinds", answers=Kind, problems=(404,))
def get_kind(call: Call) -> Kind:
    """One kind."""
    try:
        return _of(kinds.find(call.path["kind"]))
    except ValueError as error:
        raise Problem(404, "not-found", str(error)) from None


def _of(kind: DeclaredKind) -> Kind:
    return Kind(
        kind=kind.name,
        summary=kind.summary,
        parameters=parameters.schema(kind.parameters),
        tables=[row.table for row in kind.rows if row.table in result.by_job()],
        trains=kind.train is not None,
        model_from=kind.model_from,
    )


OPERATIONS = (list_kinds, get_kind)
