"""Requests, from what people pass to the methods of a client."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

from db.progress import JobProgress
from docmill.errors import InvalidRequestError, only_docmill_errors
from scheduler.exports.request import ExportRequest, Format, Mode
from scheduler.requests import JobRequest


def request(kind: str, collection: str | Sequence[str], **options: Any) -> JobRequest:
    """A job over one collection or, for a kind that trains, several."""
    names = [collection] if isinstance(collection, str) else list(collection)
    if not names:
        raise InvalidRequestError("say which collection the job is over")
    return JobRequest(kind, names[0], also=names[1:], **options)


def export_request(
    what: str | int, to: str | PathLike[str] | None, format_: str | None, mode: str, **options: Any
) -> ExportRequest:
    """An export. InvalidRequestError for an unknown format or mode."""
    with only_docmill_errors():
        return ExportRequest(
            what=str(what),
            to=None if to is None else fspath(to),
            format=None if format_ is None else Format(format_),
            mode=Mode(mode),
            **options,
        )


def not_yet(now: JobProgress, seconds: float | None) -> str:
    """What is said about a job that has not ended in time."""
    why = f"; {now.fault}" if now.fault else ""
    return (
        f"job {now.job_id} is {now.state} after {seconds} s: {now.n_done} of {now.n_documents} documents{why}"
    )
