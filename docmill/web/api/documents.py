"""Documents: list, look at one, remove one. They are added in docmill.web.api.adding."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from db import document_pages, labels
from db import documents as stored
from db.access import Role
from docmill.web.api.collections import DryRun, RemovedDocuments, removed_documents
from docmill.web.api.operation import Call, Query, operation
from docmill.web.api.paging import Page, Paged, decode, page_of
from docmill.web.api.problems import Problem
from scheduler import removing

#: Outcomes of a document that are told, the newest.
MOST_OUTCOMES = 1_000


class Documents(Paged):
    """Which documents."""

    where: Annotated[
        str | None, Field(max_length=10_000, description="a selection by metadata: published >= '2026-01-01'")
    ] = None


class DocumentLine(BaseModel):
    """A document in its latest version, without its text."""

    document_key: str
    version: int
    body_chars: int
    label: Annotated[
        str | None, Field(description="of its source; those that people gave are in `/v1/labels`")
    ]
    source: str
    added_at: datetime
    meta: dict[str, Any]


class Outcome(BaseModel):
    """What a job did with a version of it."""

    job: int
    kind: str
    document_version: int
    outcome: Annotated[str, Field(description="`ok`, or the code of an error")]
    detail: str | None
    written_at: datetime


class Document(DocumentLine):
    """A document whole."""

    collection: str
    text: str
    given_labels: Annotated[list[str], Field(description="labels that people gave it")]
    outcomes: Annotated[list[Outcome], Field(description="newest job first")]


class WithKey(Query):
    """Which key."""

    key: Annotated[str, Field(min_length=1, max_length=600)]


class Place(BaseModel):
    """Where a document is."""

    collection: str


class Places(BaseModel):
    """All of them."""

    data: list[Place]


@operation("GET", "/documents", tag="documents", query=WithKey, answers=Places)
def find_documents(call: Call) -> Places:
    """The collections that have a document of this key."""
    with call.store.read() as session:
        names = labels.collections_with(session, call.query(WithKey).key)
    return Places(data=[Place(collection=name) for name in names])


@operation(
    "GET", "/collections/{collection}/documents", tag="documents", query=Documents, answers=Page[DocumentLine],
    problems=(404,),
)  # fmt: skip
def list_documents(call: Call) -> Page[DocumentLine]:
    """The documents of a collection in their latest versions, in the order in which they were added."""
    query = call.query(Documents)
    after = decode(query.after, (int,))
    with call.store.read() as session:
        number = stored.collection_id(session, call.path["collection"])
        found = document_pages.of_collection(
            session, number, query.where, after[0] if after else 0, query.limit + 1
        )
    page = page_of(call.request, found, query.limit, lambda line: (line.id,))
    lines = [_line(line) for line in page.data]
    return Page[DocumentLine](data=lines, next_after=page.next_after, next=page.next)


@operation(
    "GET", "/collections/{collection}/documents/{key}", tag="documents", answers=Document, problems=(404,)
)
def get_document(call: Call) -> Document:
    """A document: its text, its metadata and labels, and what became of it in each job.

    A slash in its key is sent as `%2F`."""
    name, key = call.path["collection"], call.path["key"]
    with call.store.read() as session:
        facts = stored.facts(session, key, name)
        meta = document_pages.meta_of(session, stored.collection_id(session, name), key)
    outcomes = [Outcome(**outcome) for outcome in facts.pop("outcomes")[:MOST_OUTCOMES]]
    return Document(**facts, meta=meta, outcomes=outcomes)


@operation(
    "DELETE", "/collections/{collection}/documents/{key}", role=Role.OPERATE, tag="documents", query=DryRun,
    answers=RemovedDocuments, problems=(404,),
)  # fmt: skip
def remove_document(call: Call) -> RemovedDocuments:
    """Remove one document for good, or say what would be removed: nothing is changed unless `dry_run=false`."""
    name, key = call.path["collection"], call.path["key"]
    with call.store.read() as session:
        chosen = removing.chosen(session, name, [key])
    plan = removing.plan(call.store, chosen)
    if plan.unknown:
        raise Problem(404, "not-found", f"collection {name!r} has no document {key!r}")
    if call.query(DryRun).dry_run:
        return removed_documents(name, plan)
    return removed_documents(name, removing.remove(call.store, chosen))


def _line(line: document_pages.Line) -> DocumentLine:
    return DocumentLine(**{name: getattr(line, name) for name in DocumentLine.model_fields})


OPERATIONS = (find_documents, list_documents, get_document, remove_document)
