"""Numbers in paths."""

from __future__ import annotations

from docmill.web.api.operation import Call
from docmill.web.api.problems import Problem


def job_number(call: Call) -> int:
    """The job of the path; 404 for what is no number of a job."""
    text = call.path["job_id"]
    if not (text.isascii() and text.isdigit() and len(text) < 17):
        raise Problem(404, "not-found", f"there is no job {text[:80]!r}: GET /v1/jobs lists the jobs")
    return int(text)
