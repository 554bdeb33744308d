"""What a client can do with collections, documents and labels."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import asdict
from typing import Any

from db import document_pages, removal
from db import documents as stored
from db import labels as given
from docmill.client.http import document_calls as calls
from docmill.client.operations.description import Operation, Rows, Stores
from scheduler import adding, labelling, removing
from scheduler import search as searching
from scheduler.removing import Removed, Tell
from scheduler.search import SearchRequest


def collections() -> Operation[list[dict[str, Any]]]:
    """Every collection, by name."""

    def on_store(stores: Stores) -> list[dict[str, Any]]:
        with stores.there().read() as session:
            found = document_pages.collections(session, None, None)
        return [{"collection": name, "created_at": created_at} for name, created_at in found]

    return Operation(on_store, calls.collections)


def collection(name: str) -> Operation[dict[str, Any]]:
    """A collection with its number of documents."""

    def on_store(stores: Stores) -> dict[str, Any]:
        with stores.there().read() as session:
            number = stored.collection_id(session, name)
            created_at = document_pages.created_at(session, number)
            counted = stored.count(session, number)
        return {"collection": name, "created_at": created_at, "n_documents": counted}

    return Operation(on_store, lambda: calls.collection(name))


def listing(collection: str, where: str | None, limit: int | None) -> Rows[dict[str, Any]]:
    """The latest documents of a collection, without their texts."""

    def on_store(stores: Stores) -> Generator[dict[str, Any]]:
        with stores.there().read() as session:
            number = stored.collection_id(session, collection)
            for line in document_pages.every(session, number, where, limit):
                row = asdict(line)
                del row["id"]
                yield row

    return Rows(on_store, lambda: calls.listing(collection, where, limit))


def facts(key: str, collection: str | None) -> Operation[dict[str, Any]]:
    """All about one document."""

    def on_store(stores: Stores) -> dict[str, Any]:
        with stores.there().read() as session:
            found = stored.facts(session, key, collection)
            number = stored.collection_id(session, found["collection"])
            return found | {"meta": document_pages.meta_of(session, number, key)}

    return Operation(on_store, lambda: calls.facts(key, collection))


def search(request: SearchRequest) -> Operation[list[dict[str, Any]]]:
    """The documents that answer a query."""

    def on_store(stores: Stores) -> list[dict[str, Any]]:
        return [hit.as_row() for hit in searching.search(stores.there(), request).hits]

    return Operation(on_store, lambda: calls.search(request))


def labels(collection: str | None, limit: int | None) -> Rows[dict[str, Any]]:
    """The labels that people gave."""

    def on_store(stores: Stores) -> Generator[dict[str, Any]]:
        with stores.there().read() as session:
            number = None if collection is None else stored.collection_id(session, collection)
            for row in given.every(session, number, limit):
                yield {name: value for name, value in row.items() if name != "number"}

    return Rows(on_store, lambda: calls.labels(collection, limit))


def set_label(key: str, label: str, collection: str | None) -> Operation[str]:
    """A label for a document; the result is the collection's name."""
    return Operation(
        lambda stores: labelling.set_label(stores.there(), key, label, collection),
        lambda: calls.set_label(key, label, collection),
    )


def remove_label(key: str, collection: str | None) -> Operation[str]:
    """No label for a document; the result is the collection's name."""
    return Operation(
        lambda stores: labelling.remove_label(stores.there(), key, collection),
        lambda: calls.remove_label(key, collection),
    )


def remove(
    keys: Sequence[str], collection: str, where: str | None, tell: Tell | None, *, dry_run: bool
) -> Operation[Removed]:
    """Documents are removed, or it is said which would be."""

    def on_store(stores: Stores) -> Removed:
        store = stores.there()
        with store.read() as session:
            chosen = removing.chosen(session, collection, keys, where)
        return (removing.plan if dry_run else removing.remove)(store, chosen, tell)

    return Operation(on_store, lambda: calls.remove(keys, collection, where, tell, dry_run=dry_run))


def remove_collection(name: str, tell: Tell | None, *, dry_run: bool) -> Operation[Removed]:
    """A collection is removed with all its documents, or it is said what would be."""
    return Operation(
        lambda stores: removing.remove_collection(stores.there(), name, tell, really=not dry_run),
        lambda: calls.remove_collection(name, tell, dry_run=dry_run),
    )


def rename_collection(name: str, new: str) -> Operation[None]:
    """Another name for a collection."""

    def on_store(stores: Stores) -> None:
        adding.check_collection_name(new)
        with stores.there().write() as session:
            removal.rename(session, name, new)

    return Operation(on_store, lambda: calls.rename_collection(name, new))
