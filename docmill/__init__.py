"""docmill for scripts: add documents, submit jobs, read results.

from docmill import add, submit

add("filings/", collection="inbox")
job = submit("summarize", collection="inbox", parameters={"sentences": 2})
job.wait()
for row in job.results():
    print(row["document_key"], row["summary"])

`Client` does the same for a store or a server of your choice, `AsyncClient` in coroutines. The errors are in
`docmill.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docmill import shadowed

shadowed.check()


def _add_steps() -> None:
    """What nights can do that is made in this package; imported when a night's file is read."""
    from scheduler.nights import actions

    actions.provide("docmill.pages.night.step")


_add_steps()

if TYPE_CHECKING:
    from docmill.client import AsyncClient, AsyncJob, Client, Job, add, job, submit
    from docmill.errors import DocmillError
    from readers import ReadOptions
    from scheduler.adding import Report

__all__ = [
    "AsyncClient", "AsyncJob", "Client", "DocmillError", "Job", "ReadOptions", "Report", "add", "job", "submit",
]  # fmt: skip

_MODULES = {"DocmillError": "docmill.errors", "ReadOptions": "readers", "Report": "scheduler.adding"}


def __getattr__(name: str) -> Any:
    # On demand, so that `docmill --help` does not wait for SQLAlchemy.
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(_MODULES.get(name, "docmill.client")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
