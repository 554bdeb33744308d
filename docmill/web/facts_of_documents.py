"""What is known of a document: read by its versions' numbers, so that no view over a whole table is evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from db import documents
from db.errors import NotFoundError
from docmill.web import marking

Row = dict[str, Any]

#: Outcomes, neighbours and terms that are shown.
MOST = 50
_VERSIONS = """
SELECT d.id, d.version, d.body_chars, d.added_at, d.source, d.is_latest, d.erased_at FROM document d
JOIN collection c ON c.id = d.collection_id WHERE c.name = :collection AND d.key = :key AND d.version > 0
ORDER BY d.version DESC LIMIT 100
"""
#: Of each table, the rows of the newest job that wrote about a version of the document.
_NEWEST = """
SELECT {columns}, r.job_id, r.document_id FROM {table} r {joins}
WHERE (r.document_id, r.job_id) = (SELECT n.document_id, n.job_id FROM {table} n WHERE n.document_id IN ({ids})
                                   ORDER BY n.document_id DESC, n.job_id DESC LIMIT 1)
ORDER BY {order} LIMIT {most}
"""
_TEXT = """
SELECT d.text, d.erased_at FROM document d JOIN collection c ON c.id = d.collection_id
WHERE c.name = :collection AND d.key = :key AND d.version = :version AND d.version > 0
"""
_SENTENCES = (
    "SELECT start_char, end_char FROM summary_sentence WHERE job_id = :job AND document_id = :document"
)
_TERMS = "SELECT neighbour_rank, term FROM neighbour_term WHERE job_id = :job AND document_id = :document ORDER BY rank"


@dataclass(frozen=True)
class Facts:
    """A document with everything that jobs found."""

    document: Row
    versions: list[Row]
    #: The text in pieces: (characters, what they are marked as: see docmill.web.marking).
    pieces: list[tuple[str, str]]
    summary: Row | None
    labels: list[Row]
    label_terms: list[Row]
    keywords: list[Row]
    entities: list[Row]
    neighbours: list[Row]


def of(session: Session, collection: str, key: str, most_chars: int) -> Facts:
    """NotFoundError if there is no such document. Of the text, at most `most_chars` characters."""
    document = documents.facts(session, key, collection, MOST)
    versions = _rows(session, _VERSIONS, collection=collection, key=key)
    ids = ", ".join(str(int(version["id"])) for version in versions)
    latest = versions[0]["id"] if versions else None
    summaries = _newest(session, ids, "summary", "r.summary, r.method, r.n_sentences", "r.job_id")
    summary = summaries[0] if summaries else None
    label_terms = _newest(session, ids, "label_term", "r.term, r.weight, r.label", "r.rank")
    keywords = _newest(session, ids, "keyword", "r.term, r.score", "r.rank")
    entities = _newest(
        session, ids, "entity", "r.label, r.text, r.normal, r.score, r.start_char, r.end_char", "r.rank"
    )
    body = document["text"][:most_chars]
    spans = marking.places(body, [row["term"] for row in label_terms], "evidence")
    spans += marking.places(body, [row["term"] for row in keywords], "keywords")
    if entities and entities[0]["document_id"] == latest:
        spans += [(row["start_char"], row["end_char"], "entities") for row in entities]
    if summary is not None and summary["document_id"] == latest:
        about = {"job": summary["job_id"], "document": summary["document_id"]}
        sentences = _rows(session, _SENTENCES, **about)
        spans += [(row["start_char"], row["end_char"], "summary") for row in sentences]
    return Facts(
        document=document,
        versions=versions,
        pieces=marking.pieces(body, spans),
        summary=summary,
        labels=_newest(session, ids, "classification", "r.rank, r.label, r.score, r.reason", "r.rank"),
        label_terms=label_terms,
        keywords=keywords,
        entities=entities,
        neighbours=_neighbours(session, ids),
    )


def version_text(session: Session, collection: str, key: str, version: int) -> str:
    """NotFoundError if there is no such version, or its text was erased."""
    values = {"collection": collection, "key": key, "version": version}
    row = session.execute(text(_TEXT), values).first()
    if row is None:
        raise NotFoundError(f"document {key!r} of collection {collection!r} has no version {version}")
    if row.erased_at is not None:
        raise NotFoundError(
            f"the text of version {version} of document {key!r} was erased, as the retention says"
        )
    return str(row.text)


def _neighbours(session: Session, ids: str) -> list[Row]:
    found = _newest(
        session, ids, "neighbour", "r.rank, r.score, o.key, c.name AS collection", "r.rank",
        joins="JOIN document o ON o.id = r.neighbour_id JOIN collection c ON c.id = o.collection_id",
    )  # fmt: skip
    if not found:
        return []
    about = {"job": found[0]["job_id"], "document": found[0]["document_id"]}
    terms: dict[int, list[str]] = {}
    for row in _rows(session, _TERMS, **about):
        terms.setdefault(row["neighbour_rank"], []).append(row["term"])
    return [row | {"terms": terms.get(row["rank"], [])} for row in found]


def _newest(session: Session, ids: str, table: str, columns: str, order: str, joins: str = "") -> list[Row]:
    if not ids:
        return []
    query = _NEWEST.format(columns=columns, table=table, joins=joins, ids=ids, order=order, most=MOST)
    return _rows(session, query)


def _rows(session: Session, query: str, **values: Any) -> list[Row]:
    return [dict(row) for row in session.execute(text(query), values).mappings()]
