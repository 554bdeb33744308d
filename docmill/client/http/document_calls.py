"""Requests about collections, documents and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from db.removal import Found
from docmill.client.http import paging
from docmill.client.http.exchange import part
from docmill.client.operations.description import Answer, Call, Page, Steps, one
from docmill.errors import ConflictError, NotFoundError
from readers.label_text import several
from scheduler.removing import OpenJob, Removed, Tell
from scheduler.search import SearchRequest

Row = dict[str, Any]

#: Keys of one request.
_KEYS = 500


def collections() -> Steps[list[Row]]:
    """GET /v1/collections"""
    turned = paging.with_times("created_at")
    found: list[Row] = []
    call: Call[Page[Row]] | None = paging.first("/v1/collections", {}, row=turned)
    while call is not None:
        page = yield call
        found += page.rows
        call = page.next
    return found


def collection(name: str) -> Steps[Row]:
    """GET /v1/collections/NAME"""
    turned = paging.with_times("created_at")
    return one(Call("GET", _collection(name), lambda answer: turned(answer.json())))


def listing(name: str, where: str | None, limit: int | None) -> Call[Page[Row]]:
    """GET /v1/collections/NAME/documents"""
    query = {} if where is None else {"where": where}
    return paging.first(f"{_collection(name)}/documents", query, limit, paging.with_times("added_at"))


def facts(key: str, name: str | None) -> Steps[Row]:
    """GET /v1/collections/NAME/documents/KEY"""
    names = [name] if name is not None else (yield from _collections_with(key))
    if len(names) > 1:
        raise NotFoundError(f"{', '.join(names)} each have a document {key!r}: choose one with collection=")
    return (yield from one(Call("GET", _document(names[0], key), _facts)))


def search(request: SearchRequest) -> Steps[list[Row]]:
    """GET /v1/search"""
    given: dict[str, Any] = asdict(request)
    query = {name: value for name, value in given.items() if value is not None}
    query["hybrid"] = str(request.hybrid).lower()
    return one(Call("GET", "/v1/search", _hits, query))


def labels(name: str | None, limit: int | None) -> Call[Page[Row]]:
    """GET /v1/labels"""
    query = {} if name is None else {"collection": name}
    return paging.first("/v1/labels", query, limit, paging.with_times("given_at"))


def set_label(key: str, label: str, name: str | None) -> Steps[str]:
    """PUT /v1/collections/NAME/documents/KEY/label"""
    name = yield from _one_collection(key, name)
    listed = several(label.strip())
    body = {"label": label if listed is None else list(listed)}
    yield Call("PUT", f"{_document(name, key)}/label", lambda _: None, body=body)
    return name


def remove_label(key: str, name: str | None) -> Steps[str]:
    """DELETE /v1/collections/NAME/documents/KEY/label"""
    name = yield from _one_collection(key, name)
    yield Call("DELETE", f"{_document(name, key)}/label", lambda _: None)
    return name


def remove(
    keys: Sequence[str], name: str, where: str | None, tell: Tell | None, *, dry_run: bool
) -> Steps[Removed]:
    """POST /v1/collections/NAME/removals"""
    distinct = list(dict.fromkeys(keys))
    removed = Removed()
    for start in range(0, max(1, len(distinct)), _KEYS):
        body = {"keys": distinct[start : start + _KEYS], "where": where, "dry_run": dry_run}
        found: Removed = yield Call("POST", f"{_collection(name)}/removals", _removed, body=body)
        removed = Removed(
            removed.found + found.found, found.jobs, [*removed.unknown, *found.unknown], done=found.done
        )
        if tell is not None:
            tell(removed.found)
    return removed


def remove_collection(name: str, tell: Tell | None, *, dry_run: bool) -> Steps[Removed]:
    """DELETE /v1/collections/NAME"""
    query = {"dry_run": "true" if dry_run else "false"}
    removed: Removed = yield Call("DELETE", _collection(name), _removed, query)
    if tell is not None:
        tell(removed.found)
    return removed


def rename_collection(name: str, new: str) -> Steps[None]:
    """PATCH /v1/collections/NAME"""
    return one(Call("PATCH", _collection(name), lambda _: None, body={"name": new}))


def _one_collection(key: str, name: str | None) -> Steps[str]:
    """The collection meant: the one named, or the only one that has a document of this key."""
    if name is not None:
        return name
    names = yield from _collections_with(key)
    if len(names) > 1:
        raise ConflictError(f"{', '.join(names)} each have a document {key!r}: choose one with collection=")
    return names[0]


def _collections_with(key: str) -> Steps[list[str]]:
    """GET /v1/documents"""
    found: list[str] = yield Call("GET", "/v1/documents", _names, {"key": key})
    if not found:
        raise NotFoundError(f"no collection has a document {key!r}")
    return found


def _collection(name: str) -> str:
    return f"/v1/collections/{part(name)}"


def _document(name: str, key: str) -> str:
    return f"{_collection(name)}/documents/{part(key)}"


def _names(answer: Answer) -> list[str]:
    return [found["collection"] for found in answer.json()["data"]]


def _hits(answer: Answer) -> list[Row]:
    turned = paging.with_times("added_at")
    return [turned(row) for row in answer.json()["data"]]


def _facts(answer: Answer) -> Row:
    turned = paging.with_times("added_at")(answer.json())
    return turned | {"outcomes": [paging.with_times("written_at")(each) for each in turned["outcomes"]]}


def _removed(answer: Answer) -> Removed:
    row = answer.json()
    found = Found(
        row["n_documents"],
        row["n_versions"],
        row["n_files"],
        Counter(row["rows"]),
        row["n_outcomes_kept"],
        frozenset(row["models"]),
    )
    jobs = [OpenJob(**job) for job in row["jobs"]]
    return Removed(found, jobs, row["unknown"], row["schedules"], done=row["removed"])
