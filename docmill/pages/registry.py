"""Which kinds have a page of their own: each module named here has `PAGE`, and says there which kind it shows. Every
other kind has the page for any kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.progress import JobProgress

MODULES = ("docmill.pages.summaries", "docmill.pages.labels", "docmill.pages.classifier")


@dataclass(frozen=True)
class JobPage:
    """A page about the documents of a job."""

    #: The kind of the jobs.
    kind: str
    #: From the job and the number of documents at most: the page in pieces.
    write: Callable[[Session, JobProgress, int], Iterator[str]]
    #: Whether it shows document after document, so that there may be more.
    has_documents: bool = True


@dataclass(frozen=True)
class Table:
    """Rows about a model version, as a terminal shows them."""

    title: str
    rows: Sequence[dict[str, Any]]
    columns: Sequence[str]


@dataclass(frozen=True)
class VersionPage:
    """A page about a version of a model. Versions are as `docmill models show --json` has them."""

    #: The kind that trains the models.
    kind: str
    #: From the version and all versions of its model: the page.
    write: Callable[[dict[str, Any], Sequence[dict[str, Any]]], str]
    #: The same in short, for a terminal.
    tables: Callable[[dict[str, Any]], Iterator[Table]]


def job_page(job: JobProgress) -> JobPage:
    """The page for a job: that of its kind, else the one for any kind."""
    pages = (page for page in _pages() if isinstance(page, JobPage))
    return next((page for page in pages if page.kind == job.kind), None) or _any_job(job.kind)


def version_page(version: dict[str, Any]) -> VersionPage:
    """The page for a model version: that of its kind, else the one for any kind."""
    return _version_page(version["kind"]) or _any_model(version["kind"])


def version_tables(version: dict[str, Any]) -> Iterator[Table]:
    """What a terminal shows of a model version beside its metrics; nothing for a kind without a page."""
    page = _version_page(version["kind"])
    if page is not None:
        yield from page.tables(version)


def _any_job(kind: str) -> JobPage:
    from docmill.job_rows import has_rows
    from docmill.pages import any_job

    return JobPage(kind, any_job.of_job, has_documents=has_rows(kind))


def _any_model(kind: str) -> VersionPage:
    from docmill.pages import any_model

    return VersionPage(kind, any_model.of_version, lambda _: iter(()))


def _version_page(kind: str) -> VersionPage | None:
    pages = (page for page in _pages() if isinstance(page, VersionPage))
    return next((page for page in pages if page.kind == kind), None)


@cache
def _pages() -> tuple[JobPage | VersionPage, ...]:
    return tuple(import_module(module).PAGE for module in MODULES)
