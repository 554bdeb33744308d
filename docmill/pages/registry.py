"""Which kinds have a page. Each module named here has `PAGE` and says there which kind it shows."""

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
    #: What it shows, in the plural: "summaries".
    shows: str
    #: From the job and the number of documents at most: the page in pieces.
    write: Callable[[Session, JobProgress, int], Iterator[str]]


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
    #: Such a model, with its article: "a classifier".
    shows: str
    #: From the version and all versions of its model: the page.
    write: Callable[[dict[str, Any], Sequence[dict[str, Any]]], str]
    #: The same in short, for a terminal.
    tables: Callable[[dict[str, Any]], Iterator[Table]]


def job_page(job: JobProgress) -> JobPage:
    """The page for a job; ValueError says which jobs and models have one."""
    pages = [page for page in _pages() if isinstance(page, JobPage)]
    found = next((page for page in pages if page.kind == job.kind), None)
    if found is None:
        shown = " and ".join(page.shows for page in pages)
        raise ValueError(f"job {job.job_id} is of the kind {job.kind}: --html shows {shown}; {_models(job)}")
    return found


def version_page(version: dict[str, Any]) -> VersionPage:
    """The page for a model version; ValueError says which models have one."""
    found = _version_page(version["kind"])
    if found is None:
        shown = " or ".join(page.shows for page in _version_pages())
        raise ValueError(
            f"{version['model']}@{version['version']} was made by {version['kind']}, and only {shown} has a page; "
            f"`docmill models show {version['model']}` prints all its figures"
        )
    return found


def version_tables(version: dict[str, Any]) -> Iterator[Table]:
    """What a terminal shows of a model version beside its metrics; nothing for a kind without a page."""
    page = _version_page(version["kind"])
    if page is not None:
        yield from page.tables(version)


def _models(job: JobProgress) -> str:
    """Which models have a page; the job's own, if it trained or used one of them."""
    from workers.kinds import all_kinds

    kind = all_kinds().get(job.kind)
    trained_by = kind and (kind.name if kind.train else kind.model_from)
    name = "NAME"
    if job.model and trained_by and _version_page(trained_by):
        name = job.model.partition("@")[0] + (f"@{job.model_version}" if job.model_version else "")
    shown = " or ".join(page.shows for page in _version_pages())
    return f"{shown} has a page by `docmill models show {name} --html FILE`"


def _version_page(kind: str) -> VersionPage | None:
    return next((page for page in _version_pages() if page.kind == kind), None)


def _version_pages() -> list[VersionPage]:
    return [page for page in _pages() if isinstance(page, VersionPage)]


@cache
def _pages() -> tuple[JobPage | VersionPage, ...]:
    return tuple(import_module(module).PAGE for module in MODULES)
