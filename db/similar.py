"""One document's neighbours as the newest similarity job found them, each with the words that both share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import CompoundSelect, select, union_all
from sqlalchemy.orm import Session, aliased

from db.documents import collection_of_key
from db.results import Rows
from db.states import OutcomeState
from db.tables import Collection, Document, Job, Neighbour, NeighbourList, NeighbourTerm, Outcome


def neighbours(session: Session, key: str, collection: str | None, k: int) -> list[dict[str, Any]]:
    """At most k neighbours, nearest first: rank, neighbour_key, score, terms, ... None before a similarity job has
    run. NotFoundError without such a document, or when several collections have it and none is named."""
    lists = _lists().subquery("lists")
    newest = (
        select(lists.c.job_id, lists.c.document_id, Document.is_latest)
        .join(Document, Document.id == lists.c.document_id)
        .where(Document.collection_id == collection_of_key(session, key, collection), Document.key == key)
        .order_by(Document.version.desc(), lists.c.job_id.desc())
        .limit(1)
    )
    found = session.execute(newest).one_or_none()
    if found is None:
        return []
    terms = _terms(session, found.job_id, found.document_id, k)
    near = aliased(Document)
    query = (
        select(
            Neighbour.rank,
            near.key.label("neighbour_key"),
            Collection.name.label("neighbour_collection"),
            Neighbour.score,
            Neighbour.job_id,
        )
        .join(near, near.id == Neighbour.neighbour_id)
        .join(Collection, Collection.id == near.collection_id)
        .where(
            Neighbour.job_id == found.job_id, Neighbour.document_id == found.document_id, Neighbour.rank <= k
        )
        .order_by(Neighbour.rank)
    )
    return [
        {**row, "is_current": found.is_latest, "terms": terms.get(row["rank"], [])}
        for row in session.execute(query).mappings()
    ]


def _lists() -> CompoundSelect[int, int]:
    """(job_id, document_id) of every list: one that is empty has only its outcome."""
    empty = (
        select(Outcome.job_id, Outcome.document_id)
        .join(Job, Job.id == Outcome.job_id)
        .where(Job.kind == "similarity", Outcome.state == OutcomeState.OK)
    )
    return union_all(select(Neighbour.job_id, Neighbour.document_id), empty)


def _terms(session: Session, job_id: int, document_id: int, k: int) -> dict[int, list[dict[str, Any]]]:
    """The shared words by the neighbour's rank, heaviest first."""
    query = (
        select(NeighbourTerm.neighbour_rank, NeighbourTerm.term, NeighbourTerm.weight)
        .where(
            NeighbourTerm.job_id == job_id,
            NeighbourTerm.document_id == document_id,
            NeighbourTerm.neighbour_rank <= k,
        )
        .order_by(NeighbourTerm.neighbour_rank, NeighbourTerm.rank)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in session.execute(query):
        found.setdefault(row.neighbour_rank, []).append({"term": row.term, "weight": row.weight})
    return found


def drop_terms(before: Mapping[str, Rows], after: dict[str, Rows]) -> None:
    """The words that a document shares with a neighbour go with it: rows of `after`, where rows of `before` about some
    neighbours are missing."""
    terms = after.get(NeighbourTerm.__tablename__)
    if terms is None or Neighbour.__tablename__ not in before:
        return
    kept = set(_pairs(after[Neighbour.__tablename__], "rank"))
    values = [
        row for row, pair in zip(terms.values, _pairs(terms, "neighbour_rank"), strict=True) if pair in kept
    ]
    after[NeighbourTerm.__tablename__] = replace(terms, values=values)


def mark_lists(before: Mapping[str, Rows], after: dict[str, Rows]) -> None:
    """A list that lost a neighbour, one of `before` that is not in `after`, may have another one in its place: it is
    marked, as a removal marks those that are stored."""
    lists = after.get(NeighbourList.__tablename__)
    if lists is None or Neighbour.__tablename__ not in before:
        return
    left = set(after[Neighbour.__tablename__].values)
    owner = before[Neighbour.__tablename__].columns.index("document_id")
    cut = {row[owner] for row in before[Neighbour.__tablename__].values if row not in left}
    owner = lists.columns.index("document_id")
    values = [(*row, row[owner] in cut) for row in lists.values]
    after[NeighbourList.__tablename__] = replace(lists, columns=(*lists.columns, "is_cut"), values=values)


def _pairs(rows: Rows, column: str) -> Iterator[tuple[int, int]]:
    document, rank = rows.columns.index("document_id"), rows.columns.index(column)
    return ((row[document], row[rank]) for row in rows.values)
