"""Documents near to a free text: its vector is inferred at once and compared with those that a similarity job stored.

The model and the vectors that were read are kept in this process for the next query: a web server answers many.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from db import documents, fulltext, model_versions
from db import where as selections
from db.errors import NotFoundError
from db.fulltext import Hit
from db.model_versions import Version
from db.sql import one_of
from db.states import JobState
from db.store import Store
from db.tables import Document, DocumentVector, Job
from nlp_tasks.kind import IMPORTED
from scheduler.search import query_vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Vectors that are read with one statement.
BLOCK_ROWS = 10_000
#: Vectors that are compared, unless all are asked for, and kept: 160 MB with 200 dimensions.
MOST_VECTORS = 200_000
#: Vectors that were read are read anew after this time.
KEPT_SECONDS = 60.0
#: Sets of vectors that are kept.
MOST_KEPT = 2
#: Documents that conditions choose among.
CHOSEN_FROM = 2_000
#: How much the first place of a list counts more than the next ones (G. Cormack et al., Reciprocal rank fusion
#: outperforms Condorcet and individual rank learning methods, SIGIR 2009).
FUSION = 60
#: The kind of the jobs that store vectors, and the makers of its models.
_JOB, _MAKERS = "similarity", ("train-similarity", IMPORTED)


@dataclass(frozen=True, slots=True)
class NearRequest:
    """A text to which documents are to be near."""

    text: str
    collection: str | None = None
    #: NAME, NAME@VERSION or NAME@ALIAS; None for the model of the newest similarity job.
    model: str | None = None
    where: str | None = None
    limit: int = 10
    #: Compare with every vector, however many there are.
    every: bool = False


@dataclass(frozen=True, slots=True)
class Near:
    """Documents by the cosine of their vector and the text's, the nearest first."""

    hits: tuple[Hit, ...]
    model: str
    #: False if there are more vectors than were compared.
    is_whole: bool


@dataclass(frozen=True)
class _Vectors:
    """Unit vectors of documents."""

    blocks: tuple[tuple[NDArray[np.int64], NDArray[np.float32]], ...]
    is_whole: bool
    read_at: float


_kept: OrderedDict[tuple[str, int, int | None], _Vectors] = OrderedDict()
_reading = threading.Lock()


def nearest(store: Store, request: NearRequest) -> Near:
    """The documents nearest to a text. NotFoundError without a similarity job, a model or a collection of that name;
    ValueError if the model has none of the words."""
    with store.read() as session:
        number = documents.collection_id(session, request.collection) if request.collection else None
        version = _version(session, request.model, number, request.collection)
        conditions: list[ColumnElement[bool]] = []
        if request.where is not None:
            conditions.append(selections.where(session, request.where, number))
    ranked, is_whole = _ranked(
        store, version, request.text, number, conditions, request.limit, every=request.every
    )
    with store.read() as session:
        hits = fulltext.hits(session, fulltext.latest(session, ranked)[: request.limit])
    return Near(tuple(hits), version.ref, is_whole)


def fused(
    store: Store,
    by_words: Sequence[tuple[int, float]],
    text: str,
    collection: int | None,
    conditions: Sequence[ColumnElement[bool]],
    most: int,
    *,
    only_found: bool,
) -> list[tuple[int, float]]:
    """The ranking by words and that by vectors, fused by reciprocal ranks; the one by words if there are no vectors, or
    the model has none of the words. With `only_found`, no document comes in by its vector."""
    with store.read() as session:
        try:
            version = _version(session, None, collection, None)
        except NotFoundError:
            return list(by_words)
    try:
        by_vectors, _ = _ranked(store, version, text, collection, conditions, most)
    except ValueError:
        return list(by_words)
    found = {id_ for id_, _ in by_words}
    if only_found:
        by_vectors = [each for each in by_vectors if each[0] in found]
    scores: dict[int, float] = {}
    for ranking in (by_words, by_vectors):
        for place, (id_, _) in enumerate(ranking, 1):
            scores[id_] = scores.get(id_, 0.0) + 1 / (FUSION + place)
    return sorted(scores.items(), key=lambda each: (-each[1], -each[0]))[:most]


def _version(session: Session, model: str | None, collection: int | None, name: str | None) -> Version:
    if model is not None:
        return model_versions.resolve(session, model, *_MAKERS)
    newest = (
        select(Job.model_version_id)
        .where(Job.kind == _JOB, Job.state == JobState.FINISHED, Job.model_version_id.is_not(None))
        .order_by(Job.id.desc())
        .limit(1)
    )
    if collection is not None:
        newest = newest.where(Job.collection_id == collection)
    found = session.scalar(newest)
    if found is None:
        where = f"--collection {name}" if name else "--collection NAME"
        raise NotFoundError(f"no similarity job has finished there: docmill submit similarity {where}")
    return model_versions.by_id(session, found)


def _ranked(
    store: Store,
    version: Version,
    text: str,
    collection: int | None,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
    *,
    every: bool = False,
) -> tuple[list[tuple[int, float]], bool]:
    query = query_vectors.of(store, version, text)
    wanted = CHOSEN_FROM if conditions else limit + 50
    if every:
        with store.read() as session:
            ranked = _best(_blocks(session, version.id, collection, query.mean), query.vector, wanted)
        is_whole = True
    else:
        vectors = _vectors(store, version.id, collection, query.mean)
        ranked, is_whole = _best(vectors.blocks, query.vector, wanted), vectors.is_whole
    if conditions:
        ids = [id_ for id_, _ in ranked]
        with store.read() as session:
            chosen = select(Document.id).where(one_of(Document.id, ids), Document.is_latest, *conditions)
            kept = set(session.scalars(chosen))
        ranked = [each for each in ranked if each[0] in kept]
    return ranked, is_whole


def _vectors(store: Store, version: int, collection: int | None, mean: NDArray[np.float32]) -> _Vectors:
    """The vectors, newest documents first, as they were in the last minute."""
    key = (store.name, version, collection)
    with _reading:
        found = _kept.get(key)
        if found is None or time.monotonic() - found.read_at > KEPT_SECONDS:
            found = _kept[key] = _read(store, version, collection, mean)
        _kept.move_to_end(key)
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
        return found


def _read(store: Store, version: int, collection: int | None, mean: NDArray[np.float32]) -> _Vectors:
    blocks: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    n, is_whole = 0, True
    with store.read() as session:
        for block in _blocks(session, version, collection, mean):
            if n >= MOST_VECTORS:
                is_whole = False
                break
            blocks.append(block)
            n += len(block[0])
    return _Vectors(tuple(blocks), is_whole, time.monotonic())


def _blocks(
    session: Session, version: int, collection: int | None, mean: NDArray[np.float32]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """(documents, their unit vectors), a block for each statement; the newest documents first."""
    import numpy as np

    before: int | None = None
    while rows := session.execute(_rows(version, collection, before)).all():
        before = rows[-1].document_id
        matrix = np.frombuffer(b"".join(row.vector for row in rows), dtype="<f4").reshape(len(rows), -1)
        yield np.array([row.document_id for row in rows], dtype=np.int64), query_vectors.unit(matrix - mean)


def _best(
    blocks: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]], query: NDArray[np.float32], most: int
) -> list[tuple[int, float]]:
    """(document, cosine) of the nearest, at most so many."""
    import numpy as np

    ids, scores = np.zeros(0, np.int64), np.zeros(0, np.float32)
    for of_block, matrix in blocks:
        ids, scores = np.concatenate([ids, of_block]), np.concatenate([scores, matrix @ query])
        order = np.lexsort((-ids, -scores))[:most]
        ids, scores = ids[order], scores[order]
    return list(zip(ids.tolist(), scores.tolist(), strict=True))


def _rows(version: int, collection: int | None, before: int | None) -> Select[int, bytes]:
    query = (
        select(DocumentVector.document_id, DocumentVector.vector)
        .join(Document, Document.id == DocumentVector.document_id)
        .where(DocumentVector.model_version_id == version, Document.is_latest)
        .order_by(DocumentVector.document_id.desc())
        .limit(BLOCK_ROWS)
    )
    if collection is not None:
        query = query.where(Document.collection_id == collection)
    return query if before is None else query.where(DocumentVector.document_id < before)
