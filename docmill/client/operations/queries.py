"""What a client can do with SQL and exports: only straight to the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docmill.client.operations.description import Operation, Steps, Stores
from docmill.errors import UnsupportedError
from scheduler import queries
from scheduler.exports import making
from scheduler.exports.manifest import Manifest
from scheduler.exports.request import ExportRequest


def sql(query: str, limit: int | None) -> Operation[list[dict[str, Any]]]:
    """The rows of a SELECT."""

    def on_store(stores: Stores) -> list[dict[str, Any]]:
        found = queries.run(stores.there(), query, limit)
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]

    def over_http() -> Steps[list[dict[str, Any]]]:
        raise UnsupportedError(
            "SQL is not sent over HTTP: use Client('postgresql://reader@host/docmill') or `docmill sql`; "
            "job.results(), documents() and jobs() read what they show over HTTP"
        )

    return Operation(on_store, over_http)


def export(request: ExportRequest, tell: Callable[[int, int | None], None] | None) -> Operation[Manifest]:
    """A view, the results of a job, or a SELECT in a file or a table."""

    def over_http() -> Steps[Manifest]:
        raise UnsupportedError(
            "exports are made where the store is: use `docmill export` there, or Client('postgresql://...'); "
            "over HTTP, job.results(as_='arrow') has the same rows"
        )

    return Operation(lambda stores: making.export(stores.there(), request, tell), over_http)
