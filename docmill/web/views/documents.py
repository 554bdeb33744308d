"""Collections, their documents, and one document with everything that is known of it."""

from __future__ import annotations

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from db import documents as stored
from db.access import Role
from db.sql import one_of, statement_time
from db.store import Store
from db.tables import Collection, Document, Job
from docmill.web import facts_of_documents, marking
from docmill.web.access import view
from docmill.web.counting import DocumentCounts
from docmill.web.rendering import address, page
from scheduler import labelling

#: Documents of a page, and collections of one.
MOST, MOST_COLLECTIONS = 50, 500
#: Documents of the last day are counted up to this number.
MOST_CAME = 1_000
#: Characters of a text that a page shows.
TEXT_CHARS = 200_000
#: Marks in a text, with what they are called.
MARKS = {
    "summary": "sentences of the summary",
    "evidence": "words that speak for its label",
    "keywords": "keywords",
    "entities": "entities",
}
MAX_CODE_POINT = 0x10FFFF
#: In the order of the bytes of their keys, so that those with one beginning are next to each other.
_LIST = """
SELECT d.key, d.version, d.body_chars, d.added_at, d.source,
       CASE WHEN g.rank IS NULL THEN d.label ELSE g.label END AS label
FROM document d LEFT JOIN given_label g
     ON g.collection_id = d.collection_id AND g.document_key = d.key AND g.rank = 1
WHERE d.collection_id = :collection AND d.is_latest AND {key} >= :first AND {key} > :after {end}
ORDER BY {key} LIMIT :most
"""


@view()
def collections(request: Request) -> Response:
    """Every collection with its number of documents."""
    store: Store = request.app.state.store
    counts: DocumentCounts = request.app.state.document_counts
    with store.read() as session:
        last = (
            select(func.max(Job.id))
            .where(Job.collection_id == Collection.id)
            .correlate(Collection)
            .scalar_subquery()
        )
        query = (
            select(Collection.id, Collection.name, last.label("last_job"))
            .where(Collection.files_of_id.is_(None), Collection.removed_at.is_(None))
            .order_by(Collection.name)
            .limit(MOST_COLLECTIONS)
        )
        found = [dict(row) for row in session.execute(query).mappings()]
        came = _came_in(session, [row["id"] for row in found])
    counted = counts.of([row["id"] for row in found])
    return page(
        request, "collections.html", most=MOST_COLLECTIONS,
        collections=[row | {"count": counted[row["id"]], "came": came.get(row["id"], 0)} for row in found],
        most_came=MOST_CAME,
    )  # fmt: skip


def _came_in(session: Session, numbers: list[int]) -> dict[int, int]:
    """How many versions of documents came into each of these collections in the last day, at most MOST_CAME."""
    some = (
        select(Document.added_at)
        .where(Document.collection_id == Collection.id, Document.added_at > statement_time(-86_400))
        .order_by(Document.added_at.desc())
        .limit(MOST_CAME)
        .correlate(Collection)
    )
    count = select(func.count()).select_from(some.subquery()).scalar_subquery()
    query = select(Collection.id, count).where(one_of(Collection.id, numbers))
    return dict(map(tuple, session.execute(query)))


@view()
def documents(request: Request) -> Response:
    """The documents of a collection by key, from a beginning of the key on."""
    store: Store = request.app.state.store
    name = _asked(request, "collection")
    beginning, after = request.query_params.get("key", ""), request.query_params.get("after", "")
    with store.read() as session:
        number = stored.collection_id(session, name)
        end = _after_all(beginning)
        query = _LIST.format(
            key="d.key" if store.is_sqlite else 'd.key COLLATE "C"',
            end=""
            if end is None
            else ("AND d.key < :end" if store.is_sqlite else 'AND d.key COLLATE "C" < :end'),
        )
        values = {"collection": number, "after": after, "first": beginning, "end": end, "most": MOST + 1}
        if end is None:
            del values["end"]
        found = [dict(row) for row in session.execute(text(query), values).mappings()]
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
    for row in found.document["outcomes"]:
        row["job_url"] = str(request.app.url_path_for("job", job_id=row["job"]))
    marks = {name for _, names in found.pieces for name in names.split()}
    return page(
        request, "document.html", collection=collection, key=key, facts=found, text_chars=TEXT_CHARS,
        corrected=request.query_params.get("corrected"),
        marks=[(name, words) for name, words in MARKS.items() if name in marks],
    )  # fmt: skip


@view()
def changes(request: Request) -> Response:
    """What a version of a document changed: this one beside the one before."""
    store: Store = request.app.state.store
    collection, key, asked = _asked(request, "collection"), _asked(request, "key"), _asked(request, "version")
    if not (asked.isascii() and asked.isdigit() and len(asked) < 10) or int(asked) < 2:
        raise HTTPException(400, "The first version changed nothing: version= is 2 or more.")
    version = int(asked)
    with store.read() as session:
        before, after = (
            facts_of_documents.version_text(session, collection, key, number)
            for number in (version - 1, version)
        )
    return page(
        request, "changes.html", collection=collection, key=key, version=version,
        changes=marking.changes(before, after), is_cut=max(len(before), len(after)) > marking.MOST_COMPARED,
        most=marking.MOST_COMPARED,
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


def _after_all(beginning: str) -> str | None:
    """The first text, by its bytes in UTF-8, that is after every text with this beginning; None if there is none."""
    for place in range(len(beginning) - 1, -1, -1):
        following = ord(beginning[place]) + 1
        if following <= MAX_CODE_POINT:
            # Between these are no characters.
            following = 0xE000 if 0xD800 <= following <= 0xDFFF else following
            return beginning[:place] + chr(following)
    return None


def _asked(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if not value:
        raise HTTPException(400, f"The address lacks {name}=.")
    return value


ROUTES = [
    Route("/collections", collections, name="collections"),
    Route("/documents", documents, name="documents"),
    Route("/document", document, name="document"),
    Route("/document/changes", changes, name="changes"),
    Route("/document/label", correct, name="correct", methods=["POST"]),
]
