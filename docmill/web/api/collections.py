"""Collections: list, look at, rename, remove; and removing some documents of one."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from db import document_pages, documents, removal
from db.access import Role
from docmill.web.api.operation import Call, Model, Query, operation
from docmill.web.api.paging import Flag, Page, Paged, decode, page_of
from scheduler import adding, removing
from scheduler.removing import Removed

Key = Annotated[str, Field(min_length=1, max_length=600)]


class Collection(BaseModel):
    """A named set of documents."""

    collection: str
    created_at: datetime


class CountedCollection(Collection):
    """The same, with the number of its documents."""

    n_documents: int


class RenameCollection(Model):
    """Another name."""

    name: Annotated[str, Field(min_length=1, max_length=100)]


class DryRun(Query):
    """Whether it is only to be told what would be removed."""

    dry_run: Annotated[Flag, Field(description="change nothing, and say what would be removed")] = True


class Removal(Model):
    """Which documents: by their keys, or by a selection, not both."""

    keys: Annotated[list[Key], Field(max_length=10_000, default_factory=list)]
    where: Annotated[
        str | None, Field(max_length=10_000, description="those whose metadata this selects")
    ] = None
    dry_run: Annotated[bool, Field(description="change nothing, and say what would be removed")] = True


class OpenJob(BaseModel):
    """A job that has not ended: documents that it has not done get the outcome REMOVED."""

    id: int
    kind: str
    state: str


class RemovedDocuments(BaseModel):
    """What was removed, or would be."""

    collection: str
    removed: Annotated[bool, Field(description="false: nothing was changed (dry run)")]
    n_documents: int
    n_versions: int
    n_files: int
    n_outcomes_kept: int
    rows: Annotated[dict[str, int], Field(description="rows of each result table")]
    models: Annotated[list[str], Field(description="models that learned from some of them; they stay")]
    jobs: list[OpenJob]
    schedules: list[str]
    unknown: Annotated[list[str], Field(description="keys that do not exist")]


@operation("GET", "/collections", tag="collections", query=Paged, answers=Page[Collection])
def list_collections(call: Call) -> Page[Collection]:
    """The collections, by name."""
    query = call.query(Paged)
    after = decode(query.after, (str,))
    with call.store.read() as session:
        found = document_pages.collections(session, after[0] if after else None, query.limit + 1)
    rows = [Collection(collection=name, created_at=created_at) for name, created_at in found]
    return page_of(call.request, rows, query.limit, lambda row: (row.collection,))


@operation("GET", "/collections/{collection}", tag="collections", answers=CountedCollection, problems=(404,))
def get_collection(call: Call) -> CountedCollection:
    """A collection, with the number of its documents."""
    with call.store.read() as session:
        return _counted(session, call.path["collection"])


@operation(
    "PATCH", "/collections/{collection}", role=Role.OPERATE, tag="collections", body=RenameCollection,
    answers=CountedCollection, writes=True, problems=(404, 409),
)  # fmt: skip
def rename_collection(call: Call, session: Session) -> CountedCollection:
    """Give a collection another name, also in schedules."""
    new = call.body(RenameCollection).name
    adding.check_collection_name(new)
    removal.rename(session, call.path["collection"], new)
    return _counted(session, new)


@operation(
    "DELETE", "/collections/{collection}", role=Role.OPERATE, tag="collections", query=DryRun,
    answers=RemovedDocuments, problems=(404, 409),
)  # fmt: skip
def remove_collection(call: Call) -> RemovedDocuments:
    """Remove a collection with all its documents, files, labels and results, or say what would be removed.

    Nothing is changed unless `dry_run=false`. Outcomes of jobs stay, without anything of the documents."""
    name = call.path["collection"]
    really = not call.query(DryRun).dry_run
    return removed_documents(name, removing.remove_collection(call.store, name, really=really))


@operation(
    "POST", "/collections/{collection}/removals", role=Role.OPERATE, tag="collections", body=Removal,
    answers=RemovedDocuments, problems=(404, 409),
)  # fmt: skip
def remove_documents(call: Call) -> RemovedDocuments:
    """Remove documents for good, in all versions, with their labels and results, or say what would be removed.

    Nothing is changed unless `dry_run` is false. Outcomes of jobs stay, without anything of the documents. It works in
    small batches: after an interruption, the same request removes the rest."""
    body, name = call.body(Removal), call.path["collection"]
    with call.store.read() as session:
        chosen = removing.chosen(session, name, body.keys, body.where)
    return removed_documents(name, (removing.plan if body.dry_run else removing.remove)(call.store, chosen))


def removed_documents(collection: str, removed: Removed) -> RemovedDocuments:
    """As it is answered."""
    found = removed.found
    jobs: list[Any] = [asdict(job) for job in removed.jobs]
    return RemovedDocuments(
        collection=collection, removed=removed.done, n_documents=found.n_documents, n_versions=found.n_versions,
        n_files=found.n_files, n_outcomes_kept=found.n_outcomes, rows=dict(sorted(found.rows.items())),
        models=sorted(found.models), jobs=jobs, schedules=list(removed.schedules), unknown=list(removed.unknown),
    )  # fmt: skip


def _counted(session: Session, name: str) -> CountedCollection:
    number = documents.collection_id(session, name)
    created_at = document_pages.created_at(session, number)
    return CountedCollection(
        collection=name, created_at=created_at, n_documents=documents.count(session, number)
    )


OPERATIONS = (list_collections, get_collection, rename_collection, remove_collection, remove_documents)
