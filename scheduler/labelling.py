"""Labels that people give to documents in the store: by hand, from a file, or from a query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.orm import Session

from db import documents, labels
from db.errors import ConflictError, NotFoundError
from db.labels import Given
from db.store import Store
from readers.admission import check_key, read_label
from readers.label_files import LabelRecord, read_labels
from readers.label_text import each
from readers.options import ReadOptions
from readers.records import BadRecord, Notice, RefusedError
from scheduler import queries

#: The source of labels that a query found.
SQL = "sql"


@dataclass(frozen=True)
class LabelReport:
    """How many labels of a file or a query were given, and what could not be."""

    n_given: int
    #: Records that could not be read, or whose document does not exist. All others were given.
    bad: Sequence[BadRecord]
    #: How the file was read, if its name does not say so.
    notices: Sequence[Notice] = ()


def set_label(store: Store, key: str, label: str, collection: str | None = None) -> str:
    """Give a document a label by hand (a JSON list for several); returns the collection's name."""
    try:
        checked = read_label(label)
    except RefusedError as refused:
        raise ValueError(f"the label {label[:80]!r}: {refused.detail}") from None
    if checked is None:
        raise ValueError("the label is blank: write '[]' for a document to which no label applies")
    with store.write() as session:
        name = collection_of(session, key, collection)
        number = documents.collection_id(session, name)
        if labels.give(session, number, [Given(key, each(checked), labels.HUMAN)]):
            hint = _hint(session, key, name)
            raise NotFoundError(f"collection {name!r} has no document {key!r}{hint}")
    return name


def remove_label(store: Store, key: str, collection: str | None = None) -> str:
    """Remove the labels that a document was given; returns the collection's name."""
    with store.write() as session:
        name = collection_of(session, key, collection)
        labels.remove(session, documents.collection_id(session, name), key)
    return name


def collection_of(session: Session, key: str, collection: str | None) -> str:
    """The collection meant: the one named, or the only one that has a document of this key."""
    if collection is not None:
        return collection
    names = labels.collections_with(session, key)
    if not names:
        raise NotFoundError(f"no collection has a document {key!r}{_hint(session, key)}")
    if len(names) > 1:
        raise ConflictError(f"{', '.join(names)} each have a document {key!r}: choose one with --collection")
    return names[0]


def _hint(session: Session, key: str, collection: str | None = None) -> str:
    hint = documents.did_you_mean(session, key, collection)
    return f": {hint}" if hint else ""


def from_file(store: Store, path: Path, collection: str, options: ReadOptions | None = None) -> LabelReport:
    """Give the labels of a file with the fields key and label, in one transaction."""
    notices: list[Notice] = []
    return replace(_give(store, read_labels(path, options, notices.append), collection), notices=notices)


def from_query(store: Store, query: str, collection: str) -> LabelReport:
    """The same from a SELECT whose first two columns are key and label."""
    return _give(store, _found_by(store, query), collection)


def _found_by(store: Store, query: str) -> Iterator[LabelRecord | BadRecord]:
    # Without a limit: a model trained on only some of the labels would be another one.
    found = queries.run(store, query)
    if len(found.columns) < 2:
        raise ValueError("the label query must return key and label as its first two columns")
    for number, (key, label, *_) in enumerate(found.rows, start=1):
        try:
            checked = read_label(label)
            if checked is not None:
                yield LabelRecord(check_key(key), checked, SQL)
        except RefusedError as refused:
            yield refused.at("the query, row", number, key)


def _give(store: Store, records: Iterable[LabelRecord | BadRecord], collection: str) -> LabelReport:
    bad: list[BadRecord] = []
    given: list[Given] = []
    for record in records:
        if isinstance(record, LabelRecord):
            given.append(Given(record.key, each(record.label), record.source))
        else:
            bad.append(record)
    sources = {each.key: each.source for each in given}
    with store.write() as session:
        unknown = labels.give(session, documents.collection_id(session, collection), given)
    for key in unknown:
        place, _, line = sources[key].rpartition(":")
        detail = f"collection {collection} has no document of this key"
        bad.append(
            RefusedError("NO_DOCUMENT", detail).at(place or sources[key], int(line) if place else None, key)
        )
    return LabelReport(len(sources) - len(unknown), bad)
