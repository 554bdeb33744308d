"""docmill, for scripts: add documents, submit jobs, read results.

from docmill import add, submit

add("filings/", collection="inbox")
job = submit("summarize", collection="inbox", parameters={"sentences": 2})
job.wait()
for row in job.results():
    print(row["document_key"], row["summary"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docmill.client import JobHandle, submit
    from scheduler.adding import Report, add

__all__ = ["JobHandle", "Report", "add", "submit"]


def __getattr__(name: str) -> Any:
    # On demand, so that `docmill --help` does not wait for SQLAlchemy.
    if name in __all__:
        from docmill import client
        from scheduler import adding

        return getattr(client if hasattr(client, name) else adding, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
