"""Phase 2: the texts of the lines become documents. Lines with the same model and parameters are a group, which becomes
a job. What is wrong with the body of a line is an error of that line alone: the others are run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db import documents, files, request_batches, request_lines
from db.documents import NewDocument
from db.request_lines import Settled
from db.sql import one_of
from db.states import BatchPhase
from db.store import Store
from db.tables import Document, RequestBatch, RequestGroup, RequestLine
from nlp_tasks.endpoint import BadRequestError
from nlp_tasks.kind import Kind
from readers.admission import check_key
from readers.records import RefusedError
from scheduler.batches import inputs
from scheduler.batches.checking import Part, Request, request_of
from scheduler.batches.inputs import Make, as_error, asked_of
from scheduler.batches.parts import next_part
from workers import kinds

#: Different models and parameters in one batch: each is a job.
MOST_GROUPS = 100
#: Documents of one batch.
MOST_DOCUMENTS = 50_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line that can be run: its documents, and what is to be done with them."""

    line: int
    documents: Sequence[NewDocument]
    model: str | None
    parameters: Mapping[str, Any]
    form: Mapping[str, Any]

    @property
    def group(self) -> str:
        """Equal for lines of the same group."""
        return _group(self.model, self.parameters, self.form)


@dataclass
class Groups:
    """The groups of a batch by what they do; new ones get the next number."""

    numbers: dict[str, int]
    new: list[Wanted] = field(default_factory=list)

    def number(self, wanted: Wanted) -> int:
        """The number of a line's group. BadRequestError if there would be too many."""
        if wanted.group not in self.numbers:
            if len(self.numbers) == MOST_GROUPS:
                raise BadRequestError(
                    f"the batch has more than {MOST_GROUPS} different models and parameters: make several batches of it"
                )
            self.numbers[wanted.group] = len(self.numbers) + 1
            self.new.append(wanted)
        return self.numbers[wanted.group]


def add_part(store: Store, batch: RequestBatch) -> None:
    """Store the documents of the next lines."""
    with store.read() as session:
        part = next_part(session, batch)
        groups = _groups(session, batch)
        wanted, settled = _wanted(session, batch, part)
    chosen: list[tuple[Wanted, int]] = []
    n_documents = batch.n_documents
    for each in wanted:
        try:
            if n_documents + len(each.documents) > MOST_DOCUMENTS:
                raise BadRequestError(
                    f"the requests of the batch have more than {MOST_DOCUMENTS:,} inputs together"
                )
            chosen.append((each, groups.number(each)))
            n_documents += len(each.documents)
        except BadRequestError as error:
            settled.append(Settled(each.line, error=as_error(error)))
    _write(store, batch, part, groups, chosen, settled)


def _wanted(session: Session, batch: RequestBatch, part: Part) -> tuple[list[Wanted], list[Settled]]:
    """The lines of a part that can be run, and the errors of the others."""
    kind = kinds.find(batch.kind)
    requests = [request_of(line, batch.endpoint) for line in part.lines]
    make = inputs.maker(session, kind, requests)
    found: list[Wanted] = []
    settled: list[Settled] = []
    for request in requests:
        try:
            found.append(_line(make, kind, batch, request))
        except BadRequestError as error:
            settled.append(Settled(request.line, error=as_error(error)))
    taken = _keys_of_other_lines(session, batch, found)
    for each in found:
        if any(document.key in taken for document in each.documents if len(each.documents) > 1):
            message = "its inputs would have the same keys as other requests: change its custom_id"
            settled.append(Settled(each.line, error=as_error(BadRequestError(message, param="custom_id"))))
    wrong = {each.line for each in settled}
    return [each for each in found if each.line not in wrong], settled


def _line(make: Make, kind: Kind, batch: RequestBatch, request: Request) -> Wanted:
    asked, parameters = asked_of(kind, request.body)
    source = f"{batch.input_file}:{request.line}"
    keys = _keys(request.key, len(asked.inputs))
    texts = [make(key, text, source) for key, text in zip(keys, asked.inputs, strict=True)]
    return Wanted(request.line, texts, asked.model, parameters, asked.form)


def _keys(key: str, n: int) -> list[str]:
    """The keys of a request's documents."""
    if n == 1:
        return [key]
    try:
        return [check_key(f"{key}#{number}") for number in range(1, n + 1)]
    except RefusedError as refused:
        raise BadRequestError(f"custom_id: {refused.detail}", param="custom_id") from None


def _keys_of_other_lines(session: Session, batch: RequestBatch, found: Sequence[Wanted]) -> set[str]:
    """Of the keys that requests with several inputs give to these, those that are taken."""
    several = [document.key for each in found if len(each.documents) > 1 for document in each.documents]
    if not several:
        return set()
    query = select(RequestLine.key).where(RequestLine.batch_id == batch.id, one_of(RequestLine.key, several))
    return set(session.scalars(query))


def _groups(session: Session, batch: RequestBatch) -> Groups:
    known = request_lines.groups(session, batch.id)
    return Groups({_group(each.model, each.parameters, each.form): each.number for each in known})


def _group(model: str | None, parameters: Mapping[str, Any], form: Mapping[str, Any]) -> str:
    return json.dumps([model, parameters, form], sort_keys=True)


def _write(
    store: Store,
    batch: RequestBatch,
    part: Part,
    groups: Groups,
    chosen: Sequence[tuple[Wanted, int]],
    settled: Sequence[Settled],
) -> None:
    n_documents = sum(len(wanted.documents) for wanted, _ in chosen)
    phase = BatchPhase.SUBMITTING if part.is_last else BatchPhase.ADDING
    with store.write() as session:
        request_batches.move(
            session,
            batch,
            position=part.position,
            line=part.line,
            n_documents=batch.n_documents + n_documents,
            phase=phase,
        )
        _add_groups(session, batch, groups)
        ids = _store(session, batch, [document for wanted, _ in chosen for document in wanted.documents])
        taken = [
            Settled(wanted.line, number, [ids[document.key] for document in wanted.documents])
            for wanted, number in chosen
        ]
        request_lines.settle(session, batch.id, [*taken, *settled])


def _add_groups(session: Session, batch: RequestBatch, groups: Groups) -> None:
    rows = [
        {
            "batch_id": batch.id,
            "number": groups.numbers[each.group],
            "model": each.model,
            "parameters": dict(each.parameters),
            "form": dict(each.form),
        }
        for each in groups.new
    ]
    if rows:
        session.execute(insert(RequestGroup), rows)


def _store(session: Session, batch: RequestBatch, new: Sequence[NewDocument]) -> dict[str, int]:
    """Store documents; returns the id of each key's version. The collection is locked from then on, so that nobody puts
    another version in between."""
    ids: dict[str, int] = {}
    collection = documents.collection_id(session, batch.collection, create=True)
    over_files = kinds.find(batch.kind).over_files
    if over_files:
        collection = files.collection_of(session, collection, create=True) or collection
    for some in documents.batches(new):
        # The same bytes under the same key may be another upload, and the one before may be deleted.
        documents.add(session, collection, some, anew=[each.key for each in some] if over_files else ())
        query = select(Document.key, Document.id).where(
            Document.collection_id == collection,
            Document.is_latest,
            one_of(Document.key, [document.key for document in some]),
        )
        ids |= {row.key: row.id for row in session.execute(query)}
    return ids
