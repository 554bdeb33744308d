"""Labels that people give: they override a model's, and the next training learns them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from db import documents, labels
from db.access import Role
from db.labels import Given
from docmill.web.api.operation import Call, Model, operation
from docmill.web.api.paging import Page, Paged, decode, page_of
from docmill.web.api.problems import invalid
from readers.admission import check_key, read_label
from readers.label_text import each
from readers.records import RefusedError
from scheduler import labelling

One = Annotated[str, Field(min_length=1, max_length=512)]
Label = Annotated[
    One | Annotated[list[One], Field(max_length=200)],
    Field(description="one, several, or [] for a document to which none applies"),
]


class SetLabel(Model):
    """The label of a document."""

    label: Label


class LabelOfKey(Model):
    """The label of one of many documents."""

    key: Annotated[str, Field(min_length=1, max_length=512)]
    label: Label


class SetLabels(Model):
    """The labels of many documents."""

    labels: Annotated[list[LabelOfKey], Field(min_length=1, max_length=10_000)]


class GivenLabels(BaseModel):
    """The labels that a document has now."""

    collection: str
    document_key: str
    labels: list[str]


class GivenToMany(BaseModel):
    """How many were given."""

    collection: str
    n_given: int
    unknown: Annotated[list[str], Field(description="keys that the collection does not have")]


class LabelLine(BaseModel):
    """A label that was given."""

    collection: str
    document_key: str
    rank: Annotated[int, Field(description="from 1: a document may have several")]
    label: Annotated[str | None, Field(description="null: none applies")]
    source: Annotated[str, Field(description="`human`, or the file and line, or `sql`")]
    given_at: datetime


class Labels(Paged):
    """Which labels."""

    collection: Annotated[str | None, Field(max_length=200)] = None


@operation("GET", "/labels", tag="labels", query=Labels, answers=Page[LabelLine], problems=(404,))
def list_labels(call: Call) -> Page[LabelLine]:
    """The labels that were given, by collection, key and rank."""
    query = call.query(Labels)
    after = decode(query.after, (int, str, int))
    with call.store.read() as session:
        number = documents.collection_id(session, query.collection) if query.collection is not None else None
        found = labels.page(session, number, after, query.limit + 1)
    page = page_of(
        call.request, found, query.limit, lambda row: (row["number"], row["document_key"], row["rank"])
    )
    lines = [LabelLine(**{name: row[name] for name in LabelLine.model_fields}) for row in page.data]
    return Page[LabelLine](data=lines, next_after=page.next_after, next=page.next)


@operation(
    "PUT", "/collections/{collection}/documents/{key}/label", role=Role.OPERATE, tag="labels", body=SetLabel,
    answers=GivenLabels, problems=(404,),
)  # fmt: skip
def set_label(call: Call) -> GivenLabels:
    """Give a document a label, in place of those that it was given before."""
    label, (name, key) = call.body(SetLabel).label, _place(call)
    try:
        labelling.set_label(call.store, key, label if isinstance(label, str) else json.dumps(label), name)
    except ValueError as error:
        raise invalid("/label", str(error)) from None
    return _given(call)


@operation(
    "DELETE", "/collections/{collection}/documents/{key}/label", role=Role.OPERATE, tag="labels",
    answers=GivenLabels, problems=(404,),
)  # fmt: skip
def remove_label(call: Call) -> GivenLabels:
    """Take away the labels that a document was given; that of its source, or a model's, counts again."""
    name, key = _place(call)
    labelling.remove_label(call.store, key, name)
    return _given(call)


@operation(
    "POST", "/collections/{collection}/labels", role=Role.OPERATE, tag="labels", body=SetLabels,
    answers=GivenToMany, writes=True, problems=(404,),
)  # fmt: skip
def set_labels(call: Call, session: Session) -> GivenToMany:
    """Give many documents labels, in one transaction. If a key comes twice, the last label counts."""
    name = call.path["collection"]
    given = [_checked(place, one) for place, one in enumerate(call.body(SetLabels).labels)]
    unknown = labels.give(session, documents.collection_id(session, name), given)
    return GivenToMany(
        collection=name, n_given=len({one.key for one in given}) - len(unknown), unknown=unknown
    )


def _checked(place: int, one: LabelOfKey) -> Given:
    try:
        label = read_label(one.label)
        if label is None:
            raise RefusedError("LABEL_TYPE", "the label is blank: write [] for none")
        return Given(check_key(one.key), each(label), labels.HUMAN)
    except RefusedError as refused:
        raise invalid(f"/labels/{place}", refused.detail) from None


def _place(call: Call) -> tuple[str, str]:
    """Collection and key, which has to exist."""
    name, key = call.path["collection"], call.path["key"]
    with call.store.read() as session:
        documents.collection_of_key(session, key, name)
    return name, key


def _given(call: Call) -> GivenLabels:
    name, key = call.path["collection"], call.path["key"]
    with call.store.read() as session:
        found = labels.of_key(session, documents.collection_id(session, name), key)
    return GivenLabels(collection=name, document_key=key, labels=found)


OPERATIONS = (list_labels, set_label, remove_label, set_labels)
