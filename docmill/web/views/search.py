"""Search: by words, by nearness to a text, or both."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db import documents as stored
from db.errors import NotFoundError
from db.store import Store
from docmill.web.access import view
from docmill.web.rendering import address, page
from scheduler.search import Answer, SearchRequest, excerpts
from scheduler.search import search as find
from scheduler.search.finding import DEEPEST
from scheduler.search.nearest import NearRequest, nearest

#: Hits of a page.
MOST = 20
#: How documents are ranked, and what the page calls it.
WAYS = {"words": "its words", "hybrid": "words and nearness", "near": "nearness"}
_FIELDS = ("q", "collection", "label", "after", "before", "way")


@view()
def search(request: Request) -> Response:
    """The hits of a query, page by page. Everything that was asked stands in the address."""
    asked = {name: request.query_params.get(name, "").strip() for name in _FIELDS}
    asked["way"] = asked["way"] if asked["way"] in WAYS else "words"
    store: Store = request.app.state.store
    with store.read() as session:
        collections = stored.names(session)
    values: dict[str, Any] = {
        "asked": asked, "collections": collections, "ways": WAYS, "hits": None, "problem": None, "notes": [],
        "more": None, "earlier": None, "seconds": 0.0,
    }  # fmt: skip
    status = 200
    if asked["q"]:
        began = time.perf_counter()
        try:
            values |= (
                _near(store, request, asked) if asked["way"] == "near" else _found(store, request, asked)
            )
        except (ValueError, NotFoundError) as error:
            if type(error) not in (ValueError, NotFoundError):
                raise
            values["problem"], status = str(error), 400
        values["seconds"] = time.perf_counter() - began
    return page(request, "search.html", status=status, **values)


def _found(store: Store, request: Request, asked: dict[str, str]) -> dict[str, Any]:
    offset = _offset(request)
    wanted = SearchRequest(
        _with_filters(asked),
        asked["collection"] or None,
        limit=MOST,
        offset=offset,
        hybrid=asked["way"] == "hybrid",
    )
    answer = find(store, wanted)
    hits = [
        {
            "rank": hit.rank, "key": hit.document_key, "collection": hit.collection, "label": hit.label,
            "added_at": hit.added_at, "chars": hit.body_chars, "pieces": excerpts.pieces(hit.excerpt),
            "begins_inside": hit.excerpt.begins_inside, "ends_inside": hit.excerpt.ends_inside,
            "url": address(request, "document", collection=hit.collection, key=hit.document_key),
        }
        for hit in answer.hits
    ]  # fmt: skip
    asked_for = {name: value for name, value in asked.items() if value}
    values = {"hits": hits, "notes": _notes(answer)}
    if answer.has_more and offset + MOST <= DEEPEST:
        values["more"] = address(request, "search", **asked_for, offset=offset + MOST)
    if offset:
        values["earlier"] = address(request, "search", **asked_for, offset=max(0, offset - MOST))
    return values


def _near(store: Store, request: Request, asked: dict[str, str]) -> dict[str, Any]:
    """The documents nearest to what was typed, as a text."""
    where = [
        f"added_at {sign} '{_plain(asked[name])}'"
        for name, sign in (("after", ">="), ("before", "<"))
        if asked[name]
    ]
    found = nearest(
        store,
        NearRequest(asked["q"], asked["collection"] or None, where=" and ".join(where) or None, limit=MOST),
    )
    hits = []
    for rank, hit in enumerate(found.hits, 1):
        excerpt = excerpts.of(hit.text, ())
        hits.append({
            "rank": rank, "key": hit.key, "collection": hit.collection, "label": hit.label, "score": hit.score,
            "added_at": hit.added_at, "chars": hit.body_chars, "pieces": excerpts.pieces(excerpt),
            "begins_inside": excerpt.begins_inside, "ends_inside": excerpt.ends_inside,
            "url": address(request, "document", collection=hit.collection, key=hit.key),
        })  # fmt: skip
    notes = [f"Compared by the model {found.model}."]
    if not found.is_whole:
        notes.append("Only the newest 200,000 documents were compared; docmill similar --text compares all.")
    return {"hits": hits, "notes": notes}


def _with_filters(asked: dict[str, str]) -> str:
    """The query with what stands in the other fields."""
    query = asked["q"]
    if asked["label"]:
        label = asked["label"].replace('"', "")
        query += f' label:"{label}"'
    for name in ("after", "before"):
        if asked[name]:
            query += f" {name}:{asked[name]}"
    return query


def _notes(answer: Answer) -> list[str]:
    notes = []
    if answer.to_go:
        notes.append(f"Index: {answer.to_go} to go.")
    if not answer.is_whole:
        notes.append(
            "More documents match than were ranked: these have the words most. Add a word or a condition."
        )
    return notes


def _plain(value: str) -> str:
    return value.replace("'", "")


def _offset(request: Request) -> int:
    found = request.query_params.get("offset", "0")
    return min(DEEPEST, int(found)) if found.isascii() and found.isdigit() and len(found) < 9 else 0


ROUTES = [Route("/search", search, name="search")]
