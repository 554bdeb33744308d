"""Collections, their documents, and one document with everything that is known of it."""

from __future__ import annotations

from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from db import documents as stored
from db.access import Role
from db.store import Store
from docmill.web import facts_of_documents
from docmill.web.access import view
from docmill.web.rendering import address, page
from scheduler import labelling

#: Documents of a page.
MOST = 50
#: Characters of a text that a page shows.
TEXT_CHARS = 200_000
_LIST = """
SELECT d.key, d.version, d.body_chars, d.added_at, d.source,
       CASE WHEN g.rank IS NULL THEN d.label ELSE g.label END AS label
FROM document d LEFT JOIN given_label g
     ON g.collection_id = d.collection_id AND g.document_key = d.key AND g.rank = 1
WHERE d.collection_id = :collection AND d.is_latest AND d.key > :after AND d.key LIKE :beginning ESCAPE '!'
ORDER BY d.key LIMIT :most
"""


@view()
def collections(request: Request) -> Response:
    """Every collection with its number of documents."""
    store: Store = request.app.state.store
    with store.read() as session:
        found = [
            {"name": name, "n": n, "name_url": address(request, "documents", collection=name)}
            for name, n in stored.collections(session)
        ]
    return page(request, "collections.html", collections=found)


@view()
def documents(request: Request) -> Response:
    """The documents of a collection by key, from a beginning of the key on."""
    store: Store = request.app.state.store
    name = _asked(request, "collection")
    beginning, after = request.query_params.get("key", ""), request.query_params.get("after", "")
    with store.read() as session:
        number = stored.collection_id(session, name)
        escaped = beginning.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        values = {"collection": number, "after": after, "beginning": f"{escaped}%", "most": MOST + 1}
        found = [dict(row) for row in session.execute(text(_LIST), values).mappings()]
    for row in found:
        row["key_url"] = address(request, "document", collection=name, key=row["key"])
    more = None
    if len(found) > MOST:
        more = address(request, "documents", collection=name, key=beginning, after=found[MOST - 1]["key"])
    return page(
        request, "documents.html", collection=name, documents=found[:MOST], beginning=beginning, more=more
    )


@view()
def document(request: Request) -> Response:
    """One document: its text, what jobs found, its versions and outcomes."""
    store: Store = request.app.state.store
    collection, key = _asked(request, "collection"), _asked(request, "key")
    with store.read() as session:
        found = facts_of_documents.of(session, collection, key, TEXT_CHARS)
    return page(
        request, "document.html", collection=collection, key=key, facts=found, text_chars=TEXT_CHARS,
        corrected=request.query_params.get("corrected"),
    )  # fmt: skip


@view(Role.OPERATE)
def correct(request: Request) -> Response:
    """Give a document the label that a person says; the next training learns it."""
    store: Store = request.app.state.store
    collection, key = _asked(request, "collection"), _asked(request, "key")
    label = request.state.form.get("label", [""])[0].strip()
    if not label:
        raise HTTPException(400, "Write the label that is right.")
    try:
        labelling.set_label(store, key, label, collection)
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    return RedirectResponse(address(request, "document", collection=collection, key=key, corrected=1), 303)


def _asked(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if not value:
        raise HTTPException(400, f"The address lacks {name}=.")
    return value


ROUTES = [
    Route("/collections", collections, name="collections"),
    Route("/documents", documents, name="documents"),
    Route("/document", document, name="document"),
    Route("/document/label", correct, name="correct", methods=["POST"]),
]
